"""What becomes of records: duplicates, gaps, closing records, histories. Values are the goldens of the contracts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lyceum_consumer.errors import NotOurs, RecordsMissing, UnknownSchema
from lyceum_consumer.following import CLOSED, Follower, oldest
from lyceum_consumer.schemas import Schemas
from lyceum_consumer.store import Position, Store

SCHEMAS = Path(__file__).parents[3] / "schemas"
TOPIC = "lyceum.billing.order"
PAID = "lyceum.billing.order.paid.v1"
VALUE = (SCHEMAS / f"golden/{PAID}.0.bin").read_bytes()
CHARGED = json.loads((SCHEMAS / f"golden/{PAID}.0.json").read_text())["charged"]


@dataclass
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def paid(offset: int, seq: int, previous: int, value: bytes | None = VALUE) -> Record:
    said = {"ce_id": f"e{seq}", "ce_type": PAID, "ce_time": "2026-01-02T03:04:05Z", "ce_sequence": str(seq)}
    return Record(offset, b"k", value, _headers({**said, "ce_previoussequence": str(previous)}))


def control(offset: int, kind: str, data: dict[str, Any]) -> Record:
    return Record(offset, None, json.dumps(data).encode(), _headers({"ce_type": kind, "ce_sequence": "0"}))


def closing(offset: int, **more: Any) -> Record:
    barrier = {"next_topic": f"{TOPIC}.g2", "partitions": 3, "partitions_before": 2, "barrier_seq": 9}
    return control(offset, CLOSED, {**barrier, "offsets": [5, 6, 7], "rewound": False, "histories": [], **more})


def _headers(said: dict[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in said.items()]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "counts.db")
    with made.transaction():
        made.read(TOPIC, TOPIC, {0: Position(0, 0), 1: Position(0, 0)})
    return made


@pytest.fixture
def follower(store: Store) -> Follower:
    return Follower(store, Schemas(SCHEMAS / "avro"))


def test_every_golden_is_read_by_its_fingerprint() -> None:
    schemas = Schemas(SCHEMAS / "avro")
    goldens = sorted((SCHEMAS / "golden").glob("*.bin"))
    assert goldens
    for golden in goldens:
        assert schemas.decode(golden.read_bytes()).keys() == json.loads(golden.with_suffix(".json").read_text()).keys()


def test_what_comes_again_is_applied_once(follower: Follower, store: Store) -> None:
    follower.apply(TOPIC, TOPIC, 0, [paid(0, 3, 0), paid(1, 7, 3), paid(2, 3, 0), paid(3, 7, 3), paid(4, 8, 7)])
    assert store.counts() == {PAID: 3}
    assert store.charged() == {CHARGED["currency"]: 3 * CHARGED["amount_minor"]}
    assert (follower.seen.applied, follower.seen.duplicates) == (3, 2)
    assert store.positions(TOPIC)[0] == Position(5, 8)


def test_a_run_that_is_fetched_again_after_a_crash_changes_nothing(follower: Follower, store: Store) -> None:
    for _ in range(2):
        follower.apply(TOPIC, TOPIC, 0, [paid(0, 3, 0), paid(1, 7, 3)])
    assert store.counts() == {PAID: 2}


def test_a_record_that_never_came_stops_it_with_nothing_half_done(follower: Follower, store: Store) -> None:
    with pytest.raises(RecordsMissing) as stop:
        follower.apply(TOPIC, TOPIC, 0, [paid(0, 3, 0), paid(1, 7, 5)])
    assert stop.value.missing_seq == 5
    assert store.counts() == {} and store.positions(TOPIC)[0] == Position(0, 0)


def test_what_it_cannot_read_stops_it(follower: Follower) -> None:
    with pytest.raises(UnknownSchema):
        follower.apply(TOPIC, TOPIC, 0, [paid(0, 3, 0, b"\xc3\x01" + bytes(8) + VALUE[10:])])
    with pytest.raises(UnknownSchema):
        follower.apply(TOPIC, TOPIC, 0, [paid(0, 3, 0, b"\x00\x00\x00\x00\x01")])
    with pytest.raises(NotOurs):
        follower.apply(TOPIC, TOPIC, 0, [Record(0, b"k", VALUE, [])])


def test_it_crosses_over_when_every_partition_is_closed(follower: Follower, store: Store) -> None:
    assert not follower.apply(TOPIC, TOPIC, 0, [paid(0, 3, 0), closing(1), paid(2, 11, 3)])
    assert store.reading() == {TOPIC: TOPIC}
    assert follower.apply(TOPIC, TOPIC, 1, [control(0, "lyceum.eventfold.generation.opened.v1", {}), closing(1)])
    assert store.reading() == {TOPIC: f"{TOPIC}.g2"}
    assert store.positions(f"{TOPIC}.g2") == {0: Position(5, 9), 1: Position(6, 9), 2: Position(7, 9)}
    assert store.counts() == {PAID: 1}, "what came behind the closing record comes on the next generation"
    follower.apply(TOPIC, f"{TOPIC}.g2", 2, [paid(7, 11, 8)])
    assert store.counts() == {PAID: 2}


def test_what_never_happened_is_undone_and_the_next_generation_read_from_its_beginning(
    follower: Follower, store: Store
) -> None:
    follower.apply(TOPIC, TOPIC, 0, [paid(0, 3, 0), paid(1, 7, 3)])
    rewound = closing(2, rewound=True, histories=[{"nonce": "a", "kept_seq": 0}, {"nonce": "b", "kept_seq": 5}])
    follower.apply(TOPIC, TOPIC, 0, [rewound])
    assert follower.apply(TOPIC, TOPIC, 1, [rewound])
    assert store.counts() == {PAID: 1} and set(store.charged().values()) == {CHARGED["amount_minor"]}
    follower.apply(TOPIC, f"{TOPIC}.g2", 0, [paid(1, 3, 0), paid(2, 1_000_008, 3)])
    assert store.counts() == {PAID: 2} and follower.seen.duplicates == 1


def test_a_new_reader_begins_with_the_oldest_generation_that_is_left() -> None:
    assert oldest("t", ["t.g10", "t.g9", "t2", "t.g9.x"]) == "t.g9"
    assert oldest("t", ["t.g2", "t"]) == "t"
    assert oldest("t", ["u"]) is None
