"""A live copy of the factors: follows the read tables, so that an answer counts what was folded a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reco.application.pairs import Pairs
from reco.projections.factors import ItemRow, PairRow


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the fold had come on one partition when the tables were read. `topic` has its prefix."""

    lane: int
    topic: str
    partition: int
    seq: int
    applied_at: datetime


class FactorTables(Protocol):
    """The read tables, as a follower sees them."""

    async def read_changes(
        self, seen: Mapping[int, int], take_items: Callable[[Sequence[ItemRow]], None],
        take_pairs: Callable[[Sequence[PairRow]], None],
    ) -> Sequence[Reached]:  # fmt: skip
        """Hand over, in bounded batches of one snapshot, the rows that changed above `seen` (lane -> seq); returns how
        far the snapshot's fold has come."""


class LiveFactors:
    """Keeps `pairs` in step with the tables. A failed refresh may be repeated: rows replace what they say anew."""

    def __init__(self, tables: FactorTables, pairs: Pairs) -> None:
        self.pairs = pairs
        self._tables = tables
        self._seen: dict[int, int] = {}
        self._reached: Sequence[Reached] = ()
        self._loaded = False
        self._turn = asyncio.Lock()

    @property
    def reached(self) -> Sequence[Reached]:
        """What the present state contains."""
        return self._reached

    async def refresh(self) -> None:
        """Take over everything committed before this call. Callers wait for each other."""
        async with self._turn:
            reached = await self._tables.read_changes(self._seen, self.pairs.take_items, self.pairs.take_pairs)
            self._seen = {one.lane: one.seq for one in reached}
            self._reached = reached
            self._loaded = True

    async def ready(self) -> None:
        """Return once the tables have been read at least once."""
        if not self._loaded:
            await self.refresh()
