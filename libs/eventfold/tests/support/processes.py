"""Scripts over the example domain as processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from house import House

SUPPORT = Path(__file__).parent


@contextlib.contextmanager
def running(script: Path, house: House, bootstrap: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`script URL BOOTSTRAP PREFIX …`, which finds this folder's modules; killed when the block ends."""
    command = [sys.executable, str(script), house.url, bootstrap, house.prefix, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path])}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
