"""A live copy of the factors: follows the read tables, so that an answer counts what was folded a moment ago."""

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
    """How far the fold had come on one partition when the tables were read. `topic` has its prefix."""

    topic: str
    partition: int
    seq: int
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the tables: its mark, what the rows then contained, and the copy that has them."""

    mark: Mark
    reached: Sequence[Reached]
    pairs: Pairs


class FactorTables(Protocol):
    """The read tables, as a follower sees them."""

    async def read_changes(self, last: Mark | None, pairs: Pairs) -> Look:
        """Take the rows that changed after `last` into `pairs`, in bounded batches of one snapshot.

        Where nothing was read before, or the tables are others than those that were read, all rows go into a copy of
        their own, and `pairs` stays as it is.
        """


class LiveFactors:
    """Keeps `pairs` in step with the tables. A failed refresh may be repeated: rows replace what they say anew."""

    def __init__(self, tables: FactorTables, pairs: Pairs) -> None:
        self.pairs = pairs
        self._tables = tables
        self._last: Look | None = None
        self._turn = asyncio.Lock()

    @property
    def reached(self) -> Sequence[Reached]:
        """What the present state contains."""
        return () if self._last is None else self._last.reached

    async def refresh(self) -> None:
        """Take over everything committed before this call. Callers wait for each other."""
        async with self._turn:
            last = self._last.mark if self._last else None
            self._last = await self._tables.read_changes(last, self.pairs)
            self.pairs = self._last.pairs

    async def ready(self) -> None:
        """Return once the tables have been read at least once."""
        if self._last is None:
            await self.refresh()
