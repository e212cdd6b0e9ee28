"""Each member's rows, and the history that follows from them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from reco.model.ids import Ids
from reco.model.rows import Ints
from reco.model.timeline import Step, Timeline


class Row(NamedTuple):
    """What is known of one member and one item."""

    first_us: int
    last_us: int
    strength: float


class Change(NamedTuple):
    """A member's history before and after an update. An item whose time alone changed stands in `gone` and `come`."""

    member: int
    before: Ints
    gone: list[Step]
    come: list[Step]


Key = tuple[int, int, int]
"""Time, tie and number of an item: the order of a history."""


@dataclass
class Book:
    """The rows of one member, and the order of the positive ones, oldest first."""

    rows: dict[int, Row] = field(default_factory=dict)
    order: list[Key] = field(default_factory=list)
    disliked: dict[int, None] = field(default_factory=dict)
    had: Ints | None = None

    def place(self, key: Key) -> int:
        """Where a key stands, or would stand, in the order."""
        return bisect_left(self.order, key)


class Books:
    """Rows by member; they decide what stands in the timeline: the newest `max_history` positives of each member."""

    def __init__(self, items: Ids, timeline: Timeline, max_history: int) -> None:
        self._items = items
        self._timeline = timeline
        self._max_history = max_history
        self._books: dict[int, Book] = {}
        self.size = 0
        """Rows of all members."""

    def rows(self, member: int) -> dict[int, Row]:
        """A member's rows by item."""
        book = self._books.get(member)
        return book.rows if book else {}

    def disliked(self, member: int) -> Ints:
        """The items with a strength of 0 or below, ascending."""
        book = self._books.get(member)
        return np.array(sorted(book.disliked) if book else [], dtype=np.int64)

    def had(self, member: int) -> Ints:
        """All items that a member has a row with, whatever its strength."""
        book = self._books.get(member)
        if book is None:
            return np.empty(0, dtype=np.int64)
        if book.had is None:
            book.had = np.fromiter(book.rows, dtype=np.int64, count=len(book.rows))
        return book.had

    def put(self, member: int, item: int, row: Row) -> Change | None:
        """Set a row. None: the member's history is the same as before."""
        book = self._books.setdefault(member, Book())
        old = book.rows.get(item)
        book.rows[item] = row
        if row.strength > 0:
            book.disliked.pop(item, None)
        else:
            book.disliked[item] = None
        if old is None:
            book.had = None
            self.size += 1
        return self._reordered(member, book, item, old, row)

    def put_all(self, member: int, rows: Sequence[tuple[int, Row]]) -> Change | None:
        """Set many rows; the same as one after another, in one change."""
        book = self._books.setdefault(member, Book())
        before, held = self._steps(book), len(book.rows)
        book.rows.update(rows)
        self.size += len(book.rows) - held
        book.had = None
        book.disliked = {item: None for item, row in book.rows.items() if row.strength <= 0}
        likes = ((row.first_us, self._items.tie(item), item) for item, row in book.rows.items() if row.strength > 0)
        book.order = sorted(likes)
        return self._changed(member, before, self._steps(book))

    def drop(self, member: int, item: int) -> Change | None:
        """Forget a row."""
        book = self._books.get(member)
        old = book.rows.pop(item, None) if book else None
        if book is None or old is None:
            return None
        self.size -= 1
        book.had = None
        book.disliked.pop(item, None)
        change = self._reordered(member, book, item, old, None)
        if not book.rows:
            del self._books[member]
        return change

    def forget(self, member: int) -> Change | None:
        """Forget all rows of a member."""
        book = self._books.pop(member, None)
        self.size -= len(book.rows) if book else 0
        if book is None or not book.order:
            return None
        window = self._steps(book)
        self._timeline.splice(member, 0, [])
        return Change(member, np.array([item for item, _ in window], dtype=np.int64), window, [])

    def _reordered(self, member: int, book: Book, item: int, old: Row | None, new: Row | None) -> Change | None:
        out = (old.first_us, self._items.tie(item), item) if old and old.strength > 0 else None
        into = (new.first_us, self._items.tie(item), item) if new and new.strength > 0 else None
        if out == into:
            return None
        if out is None and into is not None and (not book.order or into > book.order[-1]):
            return self._appended(member, book, into)
        return self._rebuilt(member, book, out, into)

    def _appended(self, member: int, book: Book, key: Key) -> Change:
        before = self._timeline.sequence(member).copy()
        book.order.append(key)
        come = [(key[2], key[0])]
        gone = []
        if len(book.order) > self._max_history:
            time, _, item = book.order[-self._max_history - 1]
            gone = [(item, time)]
            self._timeline.drop_oldest(member, 1)
        self._timeline.splice(member, len(before) - len(gone), come)
        return Change(member, before, gone, come)

    def _rebuilt(self, member: int, book: Book, out: Key | None, into: Key | None) -> Change | None:
        before = self._steps(book)
        if out is not None:
            del book.order[book.place(out)]
        if into is not None:
            insort(book.order, into)
        return self._changed(member, before, self._steps(book))

    def _changed(self, member: int, before: list[Step], after: list[Step]) -> Change | None:
        if before == after:
            return None
        same = next((at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
        kept = min(len(before), len(after)) if same is None else same
        self._timeline.splice(member, kept, after[kept:])
        was, now = set(before), set(after)
        items = np.array([item for item, _ in before], dtype=np.int64)
        return Change(member, items, sorted(was - now), sorted(now - was))

    def _steps(self, book: Book) -> list[Step]:
        return [(item, time) for time, _, item in book.order[-self._max_history :]]
