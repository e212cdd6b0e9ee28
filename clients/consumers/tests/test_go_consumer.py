"""The Go consumer passes its own tests; without Go they are skipped with a reason."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "go"
GO_S = 300


def test_the_go_consumer_passes_its_own_tests() -> None:
    if shutil.which("go") is None:
        pytest.skip("the Go consumer is not checked: Go is not installed")
    fetched = subprocess.run(
        ["go", "mod", "download"], cwd=FOLDER, capture_output=True, text=True, timeout=GO_S, check=False
    )
    if fetched.returncode:
        pytest.skip(f"the Go consumer is not checked: its modules cannot be fetched: {fetched.stderr.strip()[:300]}")
    for command in (["go", "vet", "./..."], ["go", "test", "./..."]):
        ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=GO_S, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
