"""Points at which a process kills itself on request: seams of production code, wrapped from outside.

A file with a count n arms a point. The process that passes the point for the nth time since then records this, and
sends itself SIGKILL: no handler, no flush and no clean-up runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import psycopg

POINTS = {
    "before-commit": "server",
    "after-commit-before-answer": "server",
    "after-commit-before-send": "relay",
    "after-send-before-cursor": "relay",
    "after-fold-before-commit": "fold",
    "after-fold-commit-before-acknowledge": "fold",
}
"""Every named point, with the kind of process that has it."""


class Strikes:
    """The armed points of one folder. Each pass costs one look into the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._passes: dict[str, int] = {}

    def arm(self, point: str, at_pass: int) -> None:
        fresh = self._folder / f"{point}.new"
        fresh.write_text(str(at_pass))
        fresh.rename(self._folder / point)

    def disarm(self, point: str) -> None:
        (self._folder / point).unlink(missing_ok=True)

    def fired(self, point: str) -> dict[str, Any] | None:
        """Takes the record of the struck process and deletes it; None before it exists."""
        file = self._folder / f"{point}.fired"
        if not file.exists():
            return None
        record: dict[str, Any] = json.loads(file.read_text())
        file.unlink()
        return record

    def pass_by(self, point: str) -> None:
        armed = self._folder / point
        if not armed.exists():
            self._passes.pop(point, None)
            return
        self._passes[point] = self._passes.get(point, 0) + 1
        with contextlib.suppress(OSError, ValueError):
            if self._passes[point] >= int(armed.read_text()):
                armed.unlink()
                self._strike(point)

    def _strike(self, point: str) -> None:
        record = {"pid": os.getpid(), "pass": self._passes[point], "at": time.time()}
        fresh = self._folder / f"{point}.fresh"
        fresh.write_text(json.dumps(record))
        fresh.rename(self._folder / f"{point}.fired")
        os.kill(os.getpid(), signal.SIGKILL)


class StruckConnection(psycopg.AsyncConnection[Any]):
    """Passes `point` when all of a transaction is written and nothing of it is committed."""

    strikes: ClassVar[Strikes]
    point: ClassVar[str]

    @contextlib.asynccontextmanager
    async def transaction(self, *arguments: Any, **named: Any) -> AsyncIterator[Any]:
        async with super().transaction(*arguments, **named) as transaction:
            yield transaction
            self.strikes.pass_by(self.point)
