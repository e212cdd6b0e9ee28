"""The design for several emitters of one service (ADR 0056), as a model: nothing is lost, doubled or out of order
whatever they do and repeat; and each of its rules is needed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sharded_emitters import Record, Shard, Store, Topic, by_key, by_partition, expected, folded

KEYS = ["a", "b", "aa", "ab", "c", "ccc", "cb"]
PARTITIONS = 4

Steps = list[tuple[str, int]]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, len(KEYS) - 1)),
        st.tuples(st.sampled_from(["send", "crash", "zombie"]), st.integers(0, 7)),
        st.tuples(st.just("reshard"), st.integers(1, 4)),
    ),
    max_size=60,
)


class Emitters:
    """The emitters of a store. A zombie sends again what it had read before it lost its lease."""

    def __init__(self, shards: int, shard: Shard, *, raised: bool = True) -> None:
        self.store, self.topic = Store(PARTITIONS, shards, shard), Topic(PARTITIONS)
        self._raised = raised
        self._read: dict[int, list[Record]] = {}

    def take(self, name: str, number: int) -> None:
        shard = number % self.store.shards
        if name == "append":
            self.store.append(KEYS[number])
        elif name == "send":
            self._send(shard, acknowledged=True)
        elif name == "crash":
            self._send(shard, acknowledged=False)
        elif name == "zombie":
            self.topic.send(self._read.get(shard, []))
        else:
            self.settle()
            self.store.reshard(number, raised=self._raised)
            self._read.clear()  # leases of the shards before cannot be taken any more

    def _send(self, shard: int, *, acknowledged: bool) -> None:
        """From the cursor on, unbroken; a crash comes after sending and before the cursor is moved."""
        self.store.number(shard, most=3)
        self._read[shard] = self.store.unsent(shard)
        self.topic.send(self._read[shard])
        if acknowledged and self._read[shard]:
            self.store.cursors[shard] = self._read[shard][-1].seq

    def settle(self) -> None:
        """Everything is sent and acknowledged."""
        for shard in range(self.store.shards):
            while [
                one for one in self.store.events if self.store.shard_of(one) == shard and one not in self.store.seqs
            ]:
                self._send(shard, acknowledged=True)
            self._send(shard, acknowledged=True)


def after(taken: Steps, shards: int, shard: Shard = by_partition, *, raised: bool = True) -> Emitters:
    made = Emitters(shards, shard, raised=raised)
    for name, number in taken:
        made.take(name, number)
    made.settle()
    return made


@settings(max_examples=400, deadline=None)
@given(steps, st.integers(1, 4))
def test_nothing_is_lost_doubled_or_out_of_order(taken: Steps, shards: int) -> None:
    made = after(taken, shards)
    assert folded(made.topic) == expected(made.store)


def test_one_emitter_for_all_is_the_same_rule_with_one_shard() -> None:
    made = after([("append", 0), ("append", 1), ("crash", 0), ("append", 0), ("send", 0), ("zombie", 0)], 1)
    assert folded(made.topic) == {"a": [0, 1], "b": [0]}


def test_keys_of_one_partition_must_not_have_two_emitters() -> None:
    """`a` and `cb` share a partition; the second emitter begins at 1 again, and what it sends is dropped."""
    taken = [("append", KEYS.index("a")), ("send", 1), ("append", KEYS.index("cb")), ("send", 0)]
    assert _loses(by_key, taken)
    assert not _loses(by_partition, taken)


def _loses(shard: Shard, taken: Steps) -> bool:
    made = after(taken, 2, shard)
    return folded(made.topic) != expected(made.store)


def test_numbers_must_rise_over_a_change_of_the_number_of_shards() -> None:
    """Partitions move to other shards; whoever begins at 1 again is taken for a duplicate."""
    taken = [("append", 0), ("append", 0), ("reshard", 3), ("append", 0)]
    assert folded(after(taken, 2).topic) == {"a": [0, 1, 2]}
    assert folded(after(taken, 2, raised=False).topic) != {"a": [0, 1, 2]}


def test_a_change_of_the_number_of_shards_waits_for_its_barrier() -> None:
    made = Emitters(2, by_partition)
    made.store.append("a")
    made.store.number(made.store.shard_of(made.store.events[0]), most=1)
    with pytest.raises(AssertionError, match="barrier"):
        made.store.reshard(3, raised=True)
