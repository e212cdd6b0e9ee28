"""A process that is told to end while it still imports ends, also as process 1."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servicekit.starting import ENDED_BY_SIGTERM

ENDS_WITHIN_S, IMPORTS_S = 10.0, 60.0
BOOTSTRAP = f"""
    import pathlib, time
    pathlib.Path("imports").touch()
    time.sleep({IMPORTS_S})  # stands for what takes its time
"""
PROCESS_1 = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@contextmanager
def importing(folder: Path, *before: str) -> Iterator[subprocess.Popen[bytes]]:
    """A service in the middle of its imports."""
    package = folder / "slow_service"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "bootstrap.py").write_text(textwrap.dedent(BOOTSTRAP))
    code = "from servicekit.starting import run_service; run_service('slow_service')"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    process = subprocess.Popen([*before, sys.executable, "-c", code], env=variables, cwd=folder)
    give_up_at = time.monotonic() + ENDS_WITHIN_S
    while not (folder / "imports").exists():
        assert process.poll() is None and time.monotonic() < give_up_at
        time.sleep(0.02)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_process_that_imports_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with importing(tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_WITHIN_S) == ENDED_BY_SIGTERM


def test_it_does_so_as_process_1_of_a_container(tmp_path: Path) -> None:
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("a process 1 of its own needs root and unshare")
    if subprocess.run([*PROCESS_1, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a process 1 of its own")
    with importing(tmp_path, *PROCESS_1) as process:
        (first,) = (Path(f"/proc/{process.pid}/task/{process.pid}/children")).read_text().split()
        os.kill(int(first), signal.SIGTERM)
        assert process.wait(ENDS_WITHIN_S) == ENDED_BY_SIGTERM
