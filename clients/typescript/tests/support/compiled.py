"""The TypeScript client and its examples, compiled as an application would."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2]
FETCH_S, COMPILE_S = 150, 120


def compiler() -> str:
    """The path of the compiler; skips the test where it cannot be had, and says why."""
    ran = subprocess.run([str(FOLDER / "compiler.sh")], capture_output=True, text=True, timeout=FETCH_S, check=True)
    if not ran.stdout.strip():
        pytest.skip(f"the TypeScript client is not checked: {ran.stderr.strip()}")
    return ran.stdout.strip()


def checked(project: str) -> str:
    """What the strict compiler complains of in a project of this folder; empty for nothing."""
    command = [compiler(), "-p", str(FOLDER / project), "--noEmit"]
    return subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_S, check=False).stdout


def built(into: Path) -> Path:
    """The folder `into` with the compiled client (`src`) and examples (`examples`)."""
    command = [compiler(), "-p", str(FOLDER / "examples/tsconfig.json"), "--outDir", str(into)]
    subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_S, check=True)
    (into / "package.json").write_text('{"type": "module"}')
    return into
