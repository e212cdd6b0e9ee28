"""Everything that follows from the rows: histories, and the parts that keep something for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from reco.model.books import Books, Change, Row
from reco.model.growing import Vector
from reco.model.ids import Ids
from reco.model.parts.base import Part, Profile
from reco.model.rows import Ints, Item, Pair
from reco.model.settings import Settings
from reco.model.timeline import Timeline


class Standing:
    """Rows of members and items by number, the histories in order, and what may be recommended to whom.

    The state is a function of the set of rows: repetition and order do not matter.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.members, self.items = Ids(settings.max_members), Ids(settings.max_items)
        self.timeline = Timeline(self.members, self.items)
        self.parts: tuple[Part, ...] = ()
        self.left_out = 0
        """Rows that did not fit within the bounds."""
        self._interests: dict[str, tuple[str, ...]] = {}
        self._books = Books(self.items, self.timeline, settings.max_history)
        self._published: Vector[np.bool_] = Vector(np.bool_)
        self._published_us: Vector[np.int64] = Vector(np.int64)

    def take(self, pair: Pair) -> bool:
        """Set one row; True if the member's history is now another one."""
        member, item = self.members.numbered(pair.member_id), self.items.numbered(pair.content_id)
        if member is None or item is None or not self._fits(member, item):
            self.left_out += 1
            return False
        row = Row(pair.first_us, pair.last_us, pair.strength)
        return self._changed(self._books.put(member, item, row))

    def take_all(self, pairs: Iterable[Pair]) -> int:
        """Set many rows, member by member; the number of members whose history is now another one. The state is the
        same as by `take`, and comes sooner if there are about as many rows as there were before."""
        rows: dict[int, list[tuple[int, Row]]] = {}
        for pair in pairs:
            member, item = self.members.numbered(pair.member_id), self.items.numbered(pair.content_id)
            if member is None or item is None:
                self.left_out += 1
                continue
            rows.setdefault(member, []).append((item, Row(pair.first_us, pair.last_us, pair.strength)))
        with self.timeline.in_bulk():
            return sum(self._put_all(member, many) for member, many in rows.items())

    def _put_all(self, member: int, rows: Sequence[tuple[int, Row]]) -> bool:
        fitting = self._fitting(member, [item for item, _ in rows])
        kept = [one for one in rows if one[0] in fitting]
        self.left_out += len(rows) - len(kept)
        return bool(kept) and self._changed(self._books.put_all(member, kept))

    def _fits(self, member: int, item: int) -> bool:
        return self._books.size < self.settings.max_pairs or item in self._books.rows(member)

    def _fitting(self, member: int, items: Iterable[int]) -> set[int]:
        """Of a member's items those that have a row, and as many others as there is room for."""
        held, room = self._books.rows(member), self.settings.max_pairs - self._books.size
        asked = dict.fromkeys(items)
        return {*(item for item in asked if item in held), *islice((item for item in asked if item not in held), room)}

    def choose(self, member_id: str, tags: tuple[str, ...]) -> None:
        """Set the tags that a member chose."""
        if tags:
            self._interests[member_id] = tags
        else:
            self._interests.pop(member_id, None)

    def drop(self, member_id: str, content_id: str) -> bool:
        """Forget one row; True if the member's history is now another one."""
        member, item = self.members.number(member_id), self.items.number(content_id)
        if member is None or item is None:
            return False
        return self._changed(self._books.drop(member, item))

    def forget(self, member_id: str) -> bool:
        """Forget a member's rows, interests and id. Should the member come back, it is as a new one."""
        self._interests.pop(member_id, None)
        member = self.members.number(member_id)
        if member is None:
            return False
        self.members.release(member_id)
        return self._changed(self._books.forget(member))

    def _changed(self, change: Change | None) -> bool:
        if change is not None:
            for part in self.parts:
                part.change(change)
        return change is not None

    def take_items(self, rows: Iterable[Item]) -> list[tuple[int, Item]]:
        """Set items; returns those that fit, by number."""
        taken = []
        for row in rows:
            item = self.items.numbered(row.content_id)
            if item is None:
                self.left_out += 1
                continue
            self._published.grow(item + 1)
            self._published_us.grow(item + 1)
            self._published.values[item], self._published_us.values[item] = row.published, row.published_us
            taken.append((item, row))
        return taken

    def has_row(self, member_id: str, content_id: str) -> bool:
        """Whether there is a row for this member and content."""
        member, item = self.members.number(member_id), self.items.number(content_id)
        return member is not None and item is not None and item in self._books.rows(member)

    def newest_us(self, member_id: str) -> int:
        """The time of a member's newest step, 0 without any."""
        member = self.members.number(member_id)
        times = self.timeline.sequence_times(-1 if member is None else member)
        return int(times[-1]) if len(times) else 0

    def profile(self, member_id: str, now_us: int) -> Profile:
        """A member as of now; without history if unknown."""
        number = self.members.number(member_id)
        member = -1 if number is None else number
        items, times = self.timeline.sequence(member), self.timeline.sequence_times(member)
        newest = slice(None, -self.settings.max_profile - 1, -1)
        return Profile(
            member=member,
            now_us=now_us,
            items=items[newest].copy(),
            times_us=times[newest].copy(),
            disliked=self._books.disliked(member),
            had=self._books.had(member),
            length=len(items),
            interests=self._interests.get(member_id, ()),
        )

    def eligible(self, profile: Profile) -> Ints:
        """The items that are published and that the member has no row with, ascending."""
        return np.flatnonzero(self.open(profile))

    def open(self, profile: Profile) -> NDArray[np.bool_]:
        """The same as one truth for each item."""
        found = np.zeros(len(self.items), dtype=np.bool_)
        found[: len(self._published)] = self._published.values
        found[profile.had] = False
        return found

    def ages_us(self, items: Ints, now_us: int) -> Ints:
        """How long ago items were published, 0 if not yet."""
        return np.asarray(np.maximum(now_us - self._published_us.values[items], 0))
