"""The first moments of a process: what must hold before anything large is imported."""

from __future__ import annotations

import importlib
import signal
import sys
from types import FrameType

ENDED_BY_SIGTERM = 128 + signal.SIGTERM


def end_on_sigterm() -> None:
    """End when told to, also as process 1 of a container: Linux lets such a process ignore what it does not handle, so
    a pod that is taken away while it imports would be waited for until its grace is over. What serves later handles
    the signal itself."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(ENDED_BY_SIGTERM)


def run_service(name: str) -> None:
    """`python -m <name>`: what the command line says, by the definition in its `bootstrap`."""
    end_on_sigterm()
    definition = importlib.import_module(f"{name}.bootstrap").DEFINITION
    importlib.import_module("servicekit.runtime").main(definition)
