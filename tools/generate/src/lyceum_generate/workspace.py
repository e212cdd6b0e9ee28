"""A temporary buf workspace: our protos beside Google's, which come from an installed package."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

BUF_YAML = """version: v2
modules:
  - path: lyceum_protos
  - path: third_party
lint:
  use: [STANDARD]
  ignore: [third_party]
breaking:
  use: [FILE]
"""
IMPORTED = ("google/api/annotations.proto", "google/api/http.proto", "google/api/httpbody.proto")
# No proto imports these, but the gateway needs them: it drops the body of a status whose detail types it does not know.
ERRORS = ("google/rpc/error_details.proto", "google/rpc/status.proto")
TIMEOUT_S = 300


def run(command: list[str], cwd: Path) -> None:
    """Run a generator and show its output at once. Raises CalledProcessError."""
    subprocess.run(command, cwd=cwd, check=True, timeout=TIMEOUT_S)


def program(name: str) -> str:
    """The path of a program from this Python's packages."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def google_protos() -> Path:
    """The folder above `google/api` in the installed googleapis-common-protos."""
    spec = find_spec("google.api")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("googleapis-common-protos is not installed; run make setup")
    return Path(next(iter(spec.submodule_search_locations))).parents[1]


@contextlib.contextmanager
def workspace(protos: Path) -> Iterator[Path]:
    """A folder in which buf sees `protos` and what they import."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shutil.copytree(protos, root / "lyceum_protos", ignore=shutil.ignore_patterns("*.binpb"))
        for file in (*IMPORTED, *ERRORS):
            target = root / "third_party" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(google_protos() / file, target)
        (root / "buf.yaml").write_text(BUF_YAML)
        yield root
