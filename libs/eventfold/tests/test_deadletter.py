"""Parked records: whatever they hold is kept and given back, what is parked now is seen, and there is a limit."""

from __future__ import annotations

import pytest
from delivering import record
from house import House
from prometheus_client import REGISTRY
from shelf import COUNTING, TOPIC, JsonInsteadOfAvro, count

from eventfold import Changes, FoldGroup, Projection, PublicRecord, Rows
from eventfold.errors import Poison
from eventfold.fold import deadletter
from eventfold.fold.deadletter import MAX_PARKED_BYTES, MAX_PARKED_RECORDS, TooManyParked, parked_now, show_parked
from eventfold.fold.readmodel import ConsumedRecord, KeptRecord
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold_ops import dlq

GARBAGE = b"\xff\x00\xed\xa0\x80"


def poisoning(reason: str = "no reason") -> Projection:
    def refuse(rows: Rows, events: list[PublicRecord]) -> Changes:
        raise Poison(events[0].id, reason)

    return Projection("counting", COUNTING.on, COUNTING.tables, COUNTING.keys, refuse)  # type: ignore[arg-type]


async def apply(house: House, projection: Projection, *records: ConsumedRecord) -> None:
    folding = FoldRunner(
        worker="test",
        pool=house.pool,
        avro=JsonInsteadOfAvro(),
        groups=[FoldGroup("shelves", (projection,), parks=True)],
        topic_prefix=house.prefix,
    )
    await folding.apply([PartitionBatch(house.prefix + TOPIC, 0, records)])


def strange(offset: int, seq: int, *, key: bytes = b"a", header: bytes = b"fine") -> KeptRecord:
    usual = record(offset, seq, "a", f"book {seq}")
    return KeptRecord(offset, key, usual.value, [*usual.headers, ("foreign", header)])


async def test_a_record_with_bytes_that_are_no_text_is_parked_and_redriven_as_it_came(house: House) -> None:
    # Given records of one key with headers that are text, no text, and text that PostgreSQL does not take
    headers = [b"fine", GARBAGE, b"a\x00b", "文".encode()]
    records = [strange(n, n + 1, header=header) for n, header in enumerate(headers)]
    # When the fold cannot apply them, for a reason that PostgreSQL would not take either
    await apply(house, poisoning("bad \x00 \ud800"), *records)
    # Then they are parked, and the fold that can sees them as they came
    seen: list[bytes] = []

    def fold(rows: Rows, events: list[PublicRecord]) -> Changes:
        seen.extend(event.headers["foreign"] for event in events)
        return count(rows, events)

    healed = Projection("counting", COUNTING.on, COUNTING.tables, COUNTING.keys, fold)  # type: ignore[arg-type]
    async with house.pool.connection() as conn:
        assert await dlq.redrive(conn, healed, JsonInsteadOfAvro(), "a") == len(headers)
    assert seen == headers


async def test_a_key_that_is_no_text_is_parked_under_how_it_is_spelt(house: House) -> None:
    await apply(house, poisoning(), strange(0, 1, key=GARBAGE), strange(1, 2, key=b"b"))
    found = await house.rows("SELECT record_key FROM dead_letter ORDER BY seq")
    assert found == [(r"\xff\x00\xed\xa0\x80",), ("b",)]


def gauge(name: str, projection: str = "counting") -> float | None:
    return REGISTRY.get_sample_value(name, {"projection": projection})


async def test_what_is_parked_now_is_seen_and_redriving_and_discarding_lower_it(house: House) -> None:
    async def look() -> tuple[float | None, float | None]:
        async with house.pool.connection() as conn:
            show_parked(["counting", "other"], await parked_now(conn))
        return gauge("eventfold_parked_records"), gauge("eventfold_parked_bytes")

    records = [record(0, 1, "a", "x"), record(1, 2, "a", "y"), record(2, 3, "b", "z")]
    await apply(house, poisoning(), *records)
    assert await look() == (3, sum(len(one.value or b"") for one in records))
    assert gauge("eventfold_parked_records", "other") == 0
    async with house.pool.connection() as conn:
        assert await dlq.redrive(conn, COUNTING, JsonInsteadOfAvro(), "a") == 2
    assert (await look())[0] == 1
    async with house.pool.connection() as conn:
        [letter] = await dlq.parked(conn)
        await dlq.discard(conn, "counting", letter.event_id)
    assert await look() == (0, 0)


@pytest.mark.parametrize("limit", ["MAX_PARKED_RECORDS", "MAX_PARKED_BYTES"])
async def test_above_a_limit_the_worker_halts_and_says_which_and_what_to_do(
    house: House, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(deadletter, limit, 1)
    with pytest.raises(TooManyParked, match=r"limits are .* records and .* bytes.*dlq redrive") as halted:
        await apply(house, poisoning(), *(record(n, n + 1, "a", "x") for n in range(2)))
    assert (halted.value.projection, halted.value.records) == ("counting", 1 if limit == "MAX_PARKED_BYTES" else 2)
    assert await house.rows("SELECT 1 FROM dead_letter") == []
    assert MAX_PARKED_RECORDS * 1_000_000 > MAX_PARKED_BYTES
