"""Waiting with a deadline."""

import time
from collections.abc import Callable

POLL_S = 0.1


def poll(check: Callable[[], str | None], wait_s: float) -> str | None:
    """Calls `check` until it returns None (all is well) or `wait_s` have passed; returns its last answer."""
    deadline = time.monotonic() + wait_s
    while (complaint := check()) is not None and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return complaint


def tail(text: str, lines: int = 15) -> str:
    """The last `lines` lines of `text`."""
    return "\n".join(text.splitlines()[-lines:])
