"""Scripts over the example domain as processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from house import House

from eventfold.publish.brokers import Brokers

SUPPORT = Path(__file__).parent


def running(
    script: Path, house: House, brokers: Brokers, *arguments: str
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """`script URL BOOTSTRAP PREFIX …`; see `started`."""
    return started(script, house.url, brokers.bootstrap, house.prefix, *arguments)


@contextlib.contextmanager
def started(script: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A script that finds this folder's modules; killed when the block ends."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path])}
    process = subprocess.Popen([sys.executable, str(script), *arguments], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
