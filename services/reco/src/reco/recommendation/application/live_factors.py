"""Keeps the copy in step with the read tables, so that an answer includes signals folded a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from eventfold.reading.following import Mark
from reco.recommendation.application.copy import Copy


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a fold had come on one partition when the tables were read. `topic` includes the prefix."""

    topic: str
    partition: int
    seq: int
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the tables: its mark, the positions that the rows then contained by projection, and the copy that
    holds them."""

    mark: Mark
    reached: Mapping[str, Sequence[Reached]]
    copy: Copy


class FactTables(Protocol):
    """The read tables, as a follower sees them."""

    async def read_changes(self, last: Mark | None, copy: Copy) -> Look:
        """Take the rows that changed after `last` into `copy`, in bounded batches of one snapshot.

        On the first read, or if the tables have been replaced since the last read, all rows go into a new copy, and
        `copy` stays as it is.
        """


class LiveFactors:
    """Keeps `copy` in step with the tables. A failed refresh may be repeated: rows replace their earlier values."""

    def __init__(self, tables: FactTables, copy: Copy) -> None:
        self.copy = copy
        self._tables = tables
        self._last: Look | None = None
        self._turn = asyncio.Lock()
        self._coming: asyncio.Task[None] | None = None

    def reached(self, *projections: str) -> list[tuple[str, Reached]]:
        """The positions that the present state contains, with the names of their projections."""
        found = self._last.reached if self._last else {}
        return [(name, one) for name in projections for one in found.get(name, ())]

    async def refresh(self) -> None:
        """Apply everything committed before this call. Callers that wait for the same turn share it: however many there
        are, the tables are read once at a time and at most once more for all of them."""
        if self._coming is None:
            self._coming = asyncio.create_task(self._refresh())
            self._coming.add_done_callback(_seen)
        await asyncio.shield(self._coming)  # a caller that leaves does not end it for the others

    async def _refresh(self) -> None:
        async with self._turn:
            self._coming = None  # who calls from now on needs another reading
            last = self._last.mark if self._last else None
            look = await self._tables.read_changes(last, self.copy)
            if look.copy is self.copy:
                look.copy.taken()
            else:  # nobody uses the new copy yet, and it has all rows to take
                await asyncio.to_thread(look.copy.taken)
            self._last, self.copy = look, look.copy

    async def ready(self) -> None:
        """Return once the tables have been read at least once."""
        if self._last is None:
            await self.refresh()


def _seen(done: asyncio.Task[None]) -> None:
    """A failure that all callers have left behind is no surprise to anybody."""
    if not done.cancelled():
        done.exception()
