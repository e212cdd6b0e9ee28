"""Being stopped: Ctrl-C and SIGTERM end a command the same way, each with its own exit status."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM came. Handled like Ctrl-C on the way out, by asyncio too."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM raises `Terminated` within."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def status_of(stop: BaseException) -> int:
    """What a shell expects of a command that was stopped so: 128 and the signal's number."""
    return 128 + (signal.SIGTERM if _terminated(stop) else signal.SIGINT)


def _terminated(stop: BaseException | None) -> bool:
    """click makes another exception of every interruption."""
    return stop is not None and (isinstance(stop, Terminated) or _terminated(stop.__cause__))
