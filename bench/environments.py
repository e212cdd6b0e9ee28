"""Environments of peers, apart from .venv: each made once from hashed requirements, and anew when these change."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILDERS = ROOT / "requirements" / "sources.txt"
MAKING_TIMEOUT_S = 1_800
RECO = ROOT / "services" / "reco" / "src"


def made(name: str, requirements: Path, python: str = sys.executable) -> str:
    """The interpreter of an environment below .cache. Blocks while it is made, minutes where packages are built."""
    place = ROOT / ".cache" / name
    wanted = hashlib.sha256(requirements.read_bytes() + BUILDERS.read_bytes() + python.encode()).hexdigest()
    stamp = place / "lyceum-stamp"
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"bench: making the environment {name}, once", file=sys.stderr, flush=True)
        _make(place, requirements, python)
        stamp.write_text(wanted)
    return str(place / "bin" / "python")


def _make(place: Path, requirements: Path, python: str) -> None:
    subprocess.run([python, "-m", "venv", "--clear", place], check=True, timeout=MAKING_TIMEOUT_S)
    uv = str(Path(sys.executable).parent / "uv")
    hashed = ["--require-hashes", "--require-build-hashes", "--build-constraints", str(BUILDERS)]
    # LightFM is built from source; for any processor, not only this one.
    flags = {"VIRTUAL_ENV": str(place), "LIGHTFM_NO_CFLAGS": "1", "CFLAGS": "-O3"}
    sync = [uv, "pip", "sync", "--quiet", *hashed, str(requirements)]
    subprocess.run(sync, check=True, timeout=MAKING_TIMEOUT_S, env={**os.environ, **flags})


def around(**more: str) -> dict[str, str]:
    """The process environment in which a peer finds the bench and the walk, with one thread for its arithmetic."""
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, RECO))), **more}
    return found | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def newest_python(versions: Sequence[str]) -> str | None:
    """An interpreter of one of the versions, the first that is found and starts: on PATH, or installed by pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in versions:
        installed = sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)
        on_path = shutil.which(f"python{version}")
        for found in (*map(str, installed), *([on_path] if on_path else [])):
            if subprocess.run([found, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
                return found
    return None
