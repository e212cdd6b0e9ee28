"""The log: a line of JSON for each request and each failure. No name, address, query, cookie or token is in it."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.types import Scope

Write = Callable[[str], object]


def _to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Log:
    """Writes lines by `write`."""

    def __init__(self, write: Write = _to_stdout) -> None:
        self._write = write

    def event(self, event: str, **facts: str | int | float) -> None:
        """One line."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(json.dumps({"at": at, "event": event, **facts}, ensure_ascii=False))

    def request(self, scope: Scope, status: int, seconds: float) -> None:
        """A request that has ended; status 0 for one whose browser went away."""
        self.event(
            "request",
            method=_method(scope),
            route=_route(scope),
            status=status,
            duration_ms=round(seconds * 1000, 1),
            request_id=scope["state"]["reference"],
        )

    def failure(self, scope: Scope, failure: Exception) -> None:
        """An error of the program: where in the code, and not what it said, which may repeat input."""
        places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(failure.__traceback__)[-6:]]
        self.event(
            "failure",
            route=_route(scope),
            kind=type(failure).__name__,
            place=" > ".join(places),
            request_id=scope["state"]["reference"],
        )


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"


def _route(scope: Scope) -> str:
    """The template of the path; unknown paths have none."""
    return str(scope["state"].get("route", ""))
