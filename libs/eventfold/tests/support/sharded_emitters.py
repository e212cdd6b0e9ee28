"""A model of several emitters over one store, as ADR 0056 designs them: what is sent, re-sent and folded, no engine.

Each emitter numbers and sends the events of its shard. A shard is a set of partitions, so a partition has one emitter.
A fold keeps, for each partition, the highest number that it has applied, and drops what is not above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Shard = Callable[[str, int, int], int]
"""Which shard an event belongs to, by its key, the number of partitions and the number of shards."""


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key; any stable function does."""
    return sum(key.encode()) % partitions


def by_partition(key: str, partitions: int, shards: int) -> int:
    """The rule: all events of a partition have one emitter."""
    return partition_of(key, partitions) % shards


def by_key(key: str, partitions: int, shards: int) -> int:
    """What looks as good and is wrong: keys of one partition may have different emitters, whose numbers interleave."""
    return len(key) % shards


@dataclass(frozen=True)
class Event:
    """An event of the store: `place` is its insert order within its key."""

    key: str
    place: int


@dataclass(frozen=True)
class Record:
    """What is on a topic."""

    seq: int
    event: Event


@dataclass
class Store:
    """The events with their numbers, which outlive every emitter; and where each shard's numbers begin."""

    partitions: int
    shards: int
    shard: Shard
    events: list[Event] = field(default_factory=list)
    seqs: dict[Event, int] = field(default_factory=dict)
    next_seq: dict[int, int] = field(default_factory=dict)
    cursors: dict[int, int] = field(default_factory=dict)
    """Of each shard, below which number everything is acknowledged."""

    def append(self, key: str) -> None:
        """One more event of a key."""
        self.events.append(Event(key, sum(1 for one in self.events if one.key == key)))

    def shard_of(self, event: Event) -> int:
        """The shard that sends an event."""
        return self.shard(event.key, self.partitions, self.shards)

    def unnumbered(self, shard: int) -> list[Event]:
        """The shard's events without a number, in the order of insertion."""
        return [one for one in self.events if one not in self.seqs and self.shard_of(one) == shard]

    def number(self, shard: int, most: int) -> None:
        """What a leader does: number what has none."""
        for event in self.unnumbered(shard)[:most]:
            self.seqs[event] = self.next_seq.setdefault(shard, 1)
            self.next_seq[shard] += 1

    def unsent(self, shard: int) -> list[Record]:
        """The shard's numbered events from its cursor on, in their order."""
        cursor = self.cursors.setdefault(shard, 0)
        found = [(seq, event) for event, seq in self.seqs.items() if self.shard_of(event) == shard and seq > cursor]
        return [Record(seq, event) for seq, event in sorted(found, key=lambda one: one[0])]

    def reshard(self, shards: int, *, raised: bool) -> None:
        """Another number of shards. All emitters have stopped, and everything numbered is acknowledged: that is the
        barrier. From here on every shard's numbers are above all that were given (`raised`), for a partition may have
        come from any of them."""
        assert not [one for shard in range(self.shards) for one in self.unsent(shard)], "the barrier comes first"
        highest = max(self.seqs.values(), default=0)
        self.shards = shards
        self.next_seq = dict.fromkeys(range(shards), highest + 1 if raised else 1)
        self.cursors = dict.fromkeys(range(shards), highest if raised else 0)
        if not raised:
            self.seqs = dict.fromkeys(self.seqs, 0)


@dataclass
class Topic:
    """Partitions as logs."""

    partitions: int
    logs: dict[int, list[Record]] = field(default_factory=dict)

    def send(self, records: Sequence[Record]) -> None:
        """Append, in this order."""
        for record in records:
            self.logs.setdefault(partition_of(record.event.key, self.partitions), []).append(record)


def folded(topic: Topic) -> Mapping[str, list[int]]:
    """What a fold has applied: the places of each key's events, in their order."""
    applied: dict[str, list[int]] = {}
    for log in topic.logs.values():
        highest = 0
        for record in log:
            if record.seq > highest:
                highest = record.seq
                applied.setdefault(record.event.key, []).append(record.event.place)
    return applied


def expected(store: Store) -> Mapping[str, list[int]]:
    """What is in the store, once each and in order."""
    keys = {event.key for event in store.events}
    return {key: list(range(sum(1 for one in store.events if one.key == key))) for key in keys}
