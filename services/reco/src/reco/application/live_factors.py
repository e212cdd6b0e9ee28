"""A live copy of the factors: follows the read tables, so that an answer counts what was folded a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from eventfold.following import Mark
from reco.application.pairs import Bounds, Pairs


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the fold had come on one partition when the tables were read. `topic` has its prefix."""

    topic: str
    partition: int
    seq: int
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the tables: its mark, and what the rows then contained."""

    mark: Mark
    reached: Sequence[Reached]


class FactorTables(Protocol):
    """The read tables, as a follower sees them."""

    async def read_changes(self, since: Mark | None, copy: Callable[[bool], Pairs]) -> Look:
        """Hand over, in bounded batches of one snapshot, the rows that changed after `since`.

        They go into `copy(True)`, the one in use, or all rows into `copy(False)`, an empty one, where nothing was read
        before or the tables are others than those that were read.
        """


class LiveFactors:
    """Keeps `pairs` in step with the tables. A failed refresh may be repeated: rows replace what they say anew."""

    def __init__(self, tables: FactorTables, bounds: Bounds) -> None:
        self.pairs = Pairs(bounds)
        self._tables = tables
        self._bounds = bounds
        self._last: Look | None = None
        self._turn = asyncio.Lock()

    @property
    def reached(self) -> Sequence[Reached]:
        """What the present state contains."""
        return () if self._last is None else self._last.reached

    async def refresh(self) -> None:
        """Take over everything committed before this call. Callers wait for each other."""
        async with self._turn:
            taking = self.pairs

            def copy(used: bool) -> Pairs:
                nonlocal taking
                taking = self.pairs if used else Pairs(self._bounds)
                return taking

            since = self._last.mark if self._last else None
            self._last = await self._tables.read_changes(since, copy)
            self.pairs = taking

    async def ready(self) -> None:
        """Return once the tables have been read at least once."""
        if self._last is None:
            await self.refresh()
