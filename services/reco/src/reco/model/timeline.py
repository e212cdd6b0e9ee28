"""All histories in one flat store, and for each item the places where it stands in them.

The store is what neighbours, sessions and transitions are read from when scores are computed; nothing is counted ahead,
so what they say follows from the rows alone.

A place is an index into the flat arrays. A member's places are consecutive, oldest first. Not thread-safe.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from reco.model.growing import Vector, capacity_for
from reco.model.ids import Ids
from reco.model.rows import Ints

Step = tuple[int, int]
"""An item and the time of the member's first signal about it."""
MIN_COMPACTION = 65_536
_NONE = np.empty(0, dtype=np.int64)


class Timeline:
    """Sequences by member and postings by item, the latter sorted by time and then by the member's tie."""

    def __init__(self, members: Ids, items: Ids) -> None:
        self._member_ids = members
        self._item_ids = items
        self._items: Vector[np.int64] = Vector(np.int64)
        self._times: Vector[np.int64] = Vector(np.int64)
        self._owners: Vector[np.int64] = Vector(np.int64)
        self._starts: Vector[np.int64] = Vector(np.int64)
        self._ends: Vector[np.int64] = Vector(np.int64)
        self._rooms: Vector[np.int64] = Vector(np.int64)
        self._post_times: list[array[int]] = []
        self._post_places: list[array[int]] = []
        self._all_times, self._all_places = array("q"), array("q")
        self._posted: Vector[np.int64] = Vector(np.int64)
        self._last_us: Vector[np.int64] = Vector(np.int64)
        self._used = 0
        self._live = 0
        self._posting = True
        self.changes = 0
        """Rises with every change."""

    @property
    def items(self) -> Ints:
        """The item at each place."""
        return self._items.values

    @property
    def times(self) -> Ints:
        """The time at each place, in microseconds."""
        return self._times.values

    @property
    def owners(self) -> Ints:
        """The member at each place."""
        return self._owners.values

    @property
    def starts(self) -> Ints:
        """Each member's first place."""
        return self._starts.values

    @property
    def ends(self) -> Ints:
        """One past each member's last place."""
        return self._ends.values

    def places(self, item: int, newest: int) -> Ints:
        """The places of the newest so many of an item, oldest first."""
        if item >= len(self._post_places):
            return _NONE
        return np.array(self._post_places[item][-newest:], dtype=np.int64)

    def newest(self, count: int) -> Ints:
        """The places of the newest so many steps of all members, oldest first."""
        return np.array(self._all_places[-count:], dtype=np.int64)

    @property
    def size(self) -> int:
        """Steps of all members."""
        return self._live

    def last_us(self, items: Ints) -> Ints:
        """The times of the newest steps of items, 0 for those without any."""
        return _of(self._last_us.values, items)

    def posted(self, items: Ints) -> Ints:
        """How many members have each of the items in their history."""
        return _of(self._posted.values, items)

    def sequence(self, member: int) -> Ints:
        """A member's items, oldest first, as a view."""
        if not 0 <= member < len(self._starts):
            return _NONE
        return self._items.values[self._starts.values[member] : self._ends.values[member]]

    def sequence_times(self, member: int) -> Ints:
        """The times of `sequence`, as a view."""
        if not 0 <= member < len(self._starts):
            return _NONE
        return self._times.values[self._starts.values[member] : self._ends.values[member]]

    @contextmanager
    def in_bulk(self) -> Iterator[None]:
        """While it lasts postings do not follow; at its end all are made anew, which takes about as long as 10,000
        single steps for each million that is held."""
        self._posting = False
        try:
            yield
        finally:
            self._posting = True
            self._post_all()

    def splice(self, member: int, kept: int, tail: Sequence[Step]) -> None:
        """Keep a member's oldest `kept` steps and replace all later ones by `tail`, which is in order."""
        self.changes += 1
        self._grow_members(member + 1)
        start, end = int(self._starts.values[member]), int(self._ends.values[member])
        for place in range(start + kept, end):
            self._unpost(place)
        self._ends.values[member] = start + kept
        self._live += len(tail) - (end - start - kept)
        if kept + len(tail) > self._rooms.values[member] - start:
            self._move(member, kept + len(tail))
        for item, time in tail:
            self._put(member, item, time)

    def drop_oldest(self, member: int, count: int) -> None:
        """Take the oldest `count` steps of a member away."""
        self.changes += 1
        start = int(self._starts.values[member])
        for place in range(start, start + count):
            self._unpost(place)
        self._starts.values[member] = start + count
        self._live -= count

    def _put(self, member: int, item: int, time: int) -> None:
        place = int(self._ends.values[member])
        self._items.values[place], self._times.values[place] = item, time
        self._owners.values[place] = member
        self._ends.values[member] = place + 1
        self._post(place)

    def _grow_members(self, size: int) -> None:
        for vector in (self._starts, self._ends, self._rooms):
            vector.grow(size)

    def _move(self, member: int, size: int) -> None:
        """Give a member a larger room at the end of the store, and tell the postings."""
        if self._used > MIN_COMPACTION and self._used > 6 * self._live:
            self._compact()
        self._relocate(member, self._used, capacity_for(size) if size > 1 else 2)

    def _relocate(self, member: int, to: int, room: int) -> None:
        start, end = int(self._starts.values[member]), int(self._ends.values[member])
        for vector in (self._items, self._times, self._owners):
            vector.grow(to + room)
            vector.values[to : to + end - start] = vector.values[start:end]
        for offset in range(end - start):
            self._repost(start + offset, to + offset)
        self._starts.values[member], self._ends.values[member] = to, to + end - start
        self._rooms.values[member] = to + room
        self._used = max(self._used, to + room)

    def _compact(self) -> None:
        """Write the store anew without gaps."""
        old = self._items, self._times, self._owners
        starts, ends = self._starts.values.tolist(), self._ends.values.tolist()
        moved = np.full(self._used, -1, dtype=np.int64)
        self._items, self._times, self._owners = Vector(np.int64), Vector(np.int64), Vector(np.int64)
        used = 0
        for member, (start, end) in enumerate(zip(starts, ends, strict=True)):
            moved[start:end] = np.arange(used, used + end - start)
            self._starts.values[member], self._ends.values[member] = used, used + end - start
            used = self._rooms.values[member] = used + 2 * (end - start)
        for vector, before in zip((self._items, self._times, self._owners), old, strict=True):
            vector.grow(int(used))
            held = moved[: len(before)] >= 0
            vector.values[moved[: len(before)][held]] = before.values[: len(moved)][held]
        for places in [*self._post_places, self._all_places]:
            places[:] = array("q", moved[np.array(places, dtype=np.int64)].tolist())
        self._used = int(used)

    def _post_all(self) -> None:
        places = spans(self.starts, self.ends - self.starts)
        items, times = self.items[places], self.times[places]
        order = np.lexsort((self._item_ids.ties[items], self._member_ids.ties[self.owners[places]], times))
        self._all_times, self._all_places = _array(times[order]), _array(places[order])
        order = order[np.argsort(items[order], kind="stable")]
        count = max(len(self._post_places), int(items.max(initial=-1)) + 1)
        ends = np.cumsum(np.bincount(items, minlength=count))[:-1]
        self._post_times = [_array(one) for one in np.split(times[order], ends)] if count else []
        self._post_places = [_array(one) for one in np.split(places[order], ends)] if count else []
        for item in range(count):
            self._counted(item)

    def _post(self, place: int) -> None:
        if not self._posting:
            return
        item, time = int(self._items.values[place]), int(self._times.values[place])
        while item >= len(self._post_places):
            self._post_times.append(array("q"))
            self._post_places.append(array("q"))
        for times, places in self._lists(item):
            at = len(times) if not times or time > times[-1] else self._at(times, places, place)
            times.insert(at, time)
            places.insert(at, place)
        self._counted(item)

    def _counted(self, item: int) -> None:
        self._posted.grow(item + 1)
        self._last_us.grow(item + 1)
        times = self._post_times[item]
        self._posted.values[item], self._last_us.values[item] = len(times), times[-1] if times else 0

    def _unpost(self, place: int) -> None:
        if not self._posting:
            return
        for times, places in self._lists(int(self._items.values[place])):
            at = self._at(times, places, place)
            del times[at], places[at]
        self._counted(int(self._items.values[place]))

    def _repost(self, place: int, to: int) -> None:
        if not self._posting:
            return
        for times, places in self._lists(int(self._items.values[place])):
            places[self._at(times, places, place)] = to

    def _lists(self, item: int) -> tuple[tuple[array[int], array[int]], ...]:
        """The sorted lists that a place of this item stands in: the item's, and that of all."""
        return (self._post_times[item], self._post_places[item]), (self._all_times, self._all_places)

    def _at(self, times: array[int], places: array[int], place: int) -> int:
        """Where a place stands, or would stand, in a list sorted by time, then member's tie, then item's tie."""
        time = int(self._times.values[place])
        low, high = bisect_left(times, time), bisect_right(times, time)
        if low == high:
            return low
        return bisect_left(places, self._key(place), low, high, key=self._key)

    def _key(self, place: int) -> tuple[int, int]:
        owner, item = int(self._owners.values[place]), int(self._items.values[place])
        return self._member_ids.tie(owner), self._item_ids.tie(item)


def _array(values: Ints) -> array[int]:
    made = array("q")
    made.frombytes(values.tobytes())
    return made


def spans(starts: Ints, sizes: Ints) -> Ints:
    """The numbers start .. start + size - 1 of each pair, one after the other."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(starts - (ends - sizes), sizes))


def _of(values: Ints, items: Ints) -> Ints:
    """Values by item, 0 for those beyond the end."""
    found = np.zeros(len(items), dtype=np.int64)
    inside = items < len(values)
    found[inside] = values[items[inside]]
    return found
