"""The growing matrix: pairs and items in memory, updated as the read tables change."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from reco.recommendation.domain.similarity import Indexes, Matrix
from reco.recommendation.projections import ItemRow, PairRow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER_US = np.iinfo(np.int64).max
_HALF = 32


def micros(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large the matrix may grow. Later pairs and items are left out and counted, so that an operator sees it."""

    max_items: int
    max_pairs: int
    max_history_items: int


class Pairs:
    """All pairs of member and content with the time of their first signal. Not thread-safe: one event loop owns it."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._members: dict[str, int] = {}
        self._items: dict[str, int] = {}
        self._ids: list[str] = []
        self._published_us = array("q")
        self._places: dict[int, int] = {}
        self._pair_member, self._pair_item, self._pair_us = array("q"), array("q"), array("q")
        self._left_out: set[tuple[str, str]] = set()
        self._arrays: _Arrays | None = None
        self._matrix: tuple[int | None, Matrix] | None = None

    def emptied(self) -> Pairs:
        """An empty copy with the same bounds."""
        return Pairs(self._bounds)

    @property
    def size(self) -> int:
        """Number of pairs held."""
        return len(self._pair_item)

    @property
    def item_count(self) -> int:
        """Number of items held, unpublished ones too."""
        return len(self._ids)

    @property
    def left_out(self) -> int:
        """Number of pairs and items that did not fit. At most as many are remembered as fit."""
        return len(self._left_out)

    def take_items(self, rows: Iterable[ItemRow]) -> None:
        """Add published content, or set its newest time. Repetition changes nothing."""
        for row in rows:
            item = self._item(row.content_id)
            if item is not None:
                self._published_us[item] = micros(row.published_at)
        self._changed()

    def take_pairs(self, rows: Iterable[PairRow]) -> None:
        """Add pairs, or set the time of their first signal to its newest value. Repetition changes nothing."""
        for row in rows:
            item = self._item(row.content_id)
            if item is not None:
                self._take_pair(row, item)
        self._changed()

    def _take_pair(self, row: PairRow, item: int) -> None:
        member = self._members.setdefault(row.member_id, len(self._members))
        key = member << _HALF | item
        place = self._places.get(key)
        if place is not None:
            self._pair_us[place] = micros(row.first_at)
        elif self.size < self._bounds.max_pairs:
            self._places[key] = self.size
            self._pair_member.append(member)
            self._pair_item.append(item)
            self._pair_us.append(micros(row.first_at))
        else:
            self._leave_out((row.member_id, row.content_id))

    def _item(self, content_id: str) -> int | None:
        item = self._items.get(content_id)
        if item is None and len(self._ids) < self._bounds.max_items:
            item = self._items[content_id] = len(self._ids)
            self._ids.append(content_id)
            self._published_us.append(NEVER_US)
        elif item is None:
            self._leave_out(("", content_id))
        return item

    def _leave_out(self, pair: tuple[str, str]) -> None:
        if len(self._left_out) < self._bounds.max_pairs:
            self._left_out.add(pair)

    def _changed(self) -> None:
        self._arrays = None
        self._matrix = None

    def content_id(self, item: int) -> str:
        """The id of an item by its index."""
        return self._ids[item]

    def item(self, content_id: str, as_of: datetime | None) -> int | None:
        """The index of content that was published by `as_of`; None for any other."""
        item = self._items.get(content_id)
        until = NEVER_US - 1 if as_of is None else micros(as_of)
        return item if item is not None and self._published_us[item] <= until else None

    def history(self, member_id: str, as_of: datetime | None) -> tuple[Indexes, Indexes]:
        """The items that the member had by `as_of`: the newest `max_history_items`, which count, and all of them."""
        arrays = self._current()
        member = self._members.get(member_id, -1)
        mine = np.flatnonzero((arrays.members == member) & arrays.until(as_of))
        newest_first = np.lexsort((arrays.id_rank[arrays.items[mine]], -arrays.first_us[mine]))
        had = arrays.items[mine[newest_first]]
        return had[: self._bounds.max_history_items], had

    def indexes(self, content_ids: Iterable[str]) -> Indexes:
        """The indexes of those contents that are known."""
        known = (self._items.get(one) for one in content_ids)
        return np.array([item for item in known if item is not None], dtype=np.int64)

    def member(self, member_id: str) -> int | None:
        """The index of a member; None for one without pairs."""
        return self._members.get(member_id)

    def member_ids(self) -> list[str]:
        """Ids of members by index."""
        return list(self._members)

    def decayed(self, as_of_us: int, half_life_us: float) -> NDArray[np.float64]:
        """For each item the sum over its pairs until then of 0.5^(age / half-life)."""
        arrays = self._current()
        keep = arrays.first_us <= as_of_us
        weights = 0.5 ** ((as_of_us - arrays.first_us[keep]) / half_life_us)
        return np.asarray(np.bincount(arrays.items[keep], weights=weights, minlength=len(self._ids)), dtype=np.float64)

    def matrix(self, as_of: datetime | None) -> Matrix:
        """The matrix of pairs with a first signal by `as_of`. The last matrix is kept until something changes."""
        until = None if as_of is None else micros(as_of)
        if self._matrix is None or self._matrix[0] != until:
            self._matrix = until, self._current().matrix(as_of, len(self._members))
        return self._matrix[1]

    def _current(self) -> _Arrays:
        if self._arrays is None:
            known = np.array(self._published_us) != NEVER_US
            items = np.array(self._pair_item, dtype=np.int64)
            keep = known[items]
            self._arrays = _Arrays(
                np.array(self._pair_member, dtype=np.int64)[keep],
                items[keep],
                np.array(self._pair_us, dtype=np.int64)[keep],
                np.array(self._published_us),
                _ranks(self._ids),
            )
        return self._arrays


@dataclass(frozen=True, slots=True)
class _Arrays:
    """Pairs of published content, and each item's publication and rank of id."""

    members: Indexes
    items: Indexes
    first_us: Indexes
    published_us: Indexes
    id_rank: Indexes

    def until(self, as_of: datetime | None) -> NDArray[np.bool_]:
        """Which pairs had their first signal by `as_of`."""
        return np.asarray(self.first_us <= (NEVER_US - 1 if as_of is None else micros(as_of)))

    def matrix(self, as_of: datetime | None, member_count: int) -> Matrix:
        """The matrix as of a moment."""
        keep = self.until(as_of)
        candidates = np.asarray(self.published_us <= (NEVER_US - 1 if as_of is None else micros(as_of)))
        return Matrix(
            members=self.members[keep],
            items=self.items[keep],
            member_count=member_count,
            candidates=candidates,
            id_rank=self.id_rank,
        )


def _ranks(ids: list[str]) -> Indexes:
    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
    return ranks
