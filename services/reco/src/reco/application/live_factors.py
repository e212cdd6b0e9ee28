"""A live copy of the factors. It follows the read tables, so that an answer includes signals folded a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from eventfold.reading.following import Mark
from reco.application.pairs import Pairs


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the fold had come on one partition when the tables were read. `topic` includes the prefix."""

    topic: str
    partition: int
    seq: int
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the tables: its mark, the positions that the rows then contained, and the copy that holds them."""

    mark: Mark
    reached: Sequence[Reached]
    pairs: Pairs


class FactorTables(Protocol):
    """The read tables, as a follower sees them."""

    async def read_changes(self, last: Mark | None, pairs: Pairs) -> Look:
        """Take the rows that changed after `last` into `pairs`, in bounded batches of one snapshot.

        On the first read, or if the tables have been replaced since the last read, all rows go into a new copy, and
        `pairs` stays as it is.
        """


class LiveFactors:
    """Keeps `pairs` in step with the tables. A failed refresh may be repeated: rows replace their earlier values."""

    def __init__(self, tables: FactorTables, pairs: Pairs) -> None:
        self.pairs = pairs
        self._tables = tables
        self._last: Look | None = None
        self._turn = asyncio.Lock()

    @property
    def reached(self) -> Sequence[Reached]:
        """The positions that the present state contains."""
        return () if self._last is None else self._last.reached

    async def refresh(self) -> None:
        """Apply everything committed before this call. Callers wait for each other."""
        async with self._turn:
            last = self._last.mark if self._last else None
            self._last = await self._tables.read_changes(last, self.pairs)
            self.pairs = self._last.pairs

    async def ready(self) -> None:
        """Return once the tables have been read at least once."""
        if self._last is None:
            await self.refresh()
