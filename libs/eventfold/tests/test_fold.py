"""The fold runtime: each event is applied exactly once, whatever is delivered, killed or repeated."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from delivering import Delivered, record
from house import House, context
from hypothesis import given
from hypothesis import strategies as st
from psycopg.errors import IdleInTransactionSessionTimeout
from shelf import COUNTING, FILLED, SHELF, TOPIC, AddBook, JsonInsteadOfAvro, add, fold

from eventfold import Ask, Context, FoldGroup, Item, Process, Projection, PublicRecord
from eventfold.errors import OffsetGap, Poison, RecordsMissing
from eventfold.fold import positions
from eventfold.fold.passing import PASSING
from eventfold.fold.positions import take_turns
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.vocabulary.decider import event_id
from eventfold_ops.dlq import discard, redrive


def runner(
    house: House, *projections: Projection, processes: tuple[Process, ...] = (), parks: bool = True
) -> FoldRunner:
    groups = [FoldGroup("reacting", processes=processes)] if processes else []
    return FoldRunner(
        worker="test",
        pool=house.pool,
        avro=JsonInsteadOfAvro(),
        store=house.store,
        topic_prefix=house.prefix,
        groups=[FoldGroup("shelves", projections or (COUNTING,), parks=parks), *groups],
    )


async def apply(house: House, folding: FoldRunner, records: list[Delivered], partition: int = 0) -> None:
    await folding.apply([PartitionBatch(house.prefix + TOPIC, partition, records)])


async def counts(house: House) -> list[tuple[Any, ...]]:
    return await house.rows("SELECT shelf, books, digest FROM shelf_count ORDER BY shelf")


async def test_rows_and_position_are_written_together(house: House) -> None:
    await apply(house, runner(house), [record(0, 3, "a", "x"), record(1, 5, "b", "y"), record(2, 6, "a", "z")])
    assert await counts(house) == [("a", 2, "x;z;"), ("b", 1, "y;")]
    assert await house.rows("SELECT projection, partition, next_offset, seq FROM fold_position") == [
        ("counting", 0, 3, 6)
    ]


async def test_a_batch_delivered_again_changes_nothing(house: House) -> None:
    batch = [record(0, 1, "a", "x"), record(1, 2, "a", "y")]
    await apply(house, runner(house), batch)
    await apply(house, runner(house), batch)
    await apply(house, runner(house), [*batch, record(2, 3, "a", "z")])
    assert await counts(house) == [("a", 3, "x;y;z;")]


async def test_records_that_a_relay_sent_again_are_dropped_by_sequence(house: House) -> None:
    resent = [record(2, 1, "a", "x"), record(3, 2, "a", "y"), record(4, 3, "a", "z")]
    await apply(house, runner(house), [record(0, 1, "a", "x"), record(1, 2, "a", "y"), *resent])
    assert await counts(house) == [("a", 3, "x;y;z;")]


async def test_two_workers_with_the_same_records_apply_them_once(house: House) -> None:
    batch = [record(n, n + 1, "a", f"{n}") for n in range(50)]
    await asyncio.gather(*(apply(house, runner(house), batch) for _ in range(4)), return_exceptions=True)
    assert (await counts(house))[0][1] == 50


async def test_workers_on_several_partitions_share_rows_without_losing_updates(house: House) -> None:
    def batch(partition: int) -> list[Delivered]:
        return [record(n, 1 + n * 4 + partition, "shared", "x") for n in range(30)]

    folding = [runner(house) for _ in range(4)]
    await asyncio.gather(*(apply(house, folding[partition], batch(partition), partition) for partition in range(4)))
    assert (await counts(house))[0][:2] == ("shared", 120)


async def test_a_worker_that_is_stopped_in_its_transaction_keeps_its_turn_for_a_bounded_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "IDLE_IN_TRANSACTION_MS", 200)
    async with await house.connect() as stopped:
        await stopped.execute("BEGIN")
        await take_turns(stopped, {COUNTING.name})
        async with asyncio.timeout(30):
            await apply(house, runner(house), [record(0, 1, "a", "x")])
        assert await counts(house) == [("a", 1, "x;")]
        with pytest.raises(IdleInTransactionSessionTimeout):
            await stopped.execute("SELECT 1")
    assert issubclass(IdleInTransactionSessionTimeout, PASSING), "the worker tries again when it wakes"


async def test_offsets_without_records_are_no_gap_where_the_numbers_tell_that_none_is_missing(house: House) -> None:
    """As a mirror leaves them that writes in transactions."""
    folding = runner(house)
    await apply(house, folding, [record(0, 1, "a", "x", 0)])
    await apply(house, folding, [record(2, 2, "a", "y", 1), record(3, 5, "a", "z", 2)])
    assert await counts(house) == [("a", 3, "x;y;z;")]


@pytest.mark.parametrize("previous", [None, 4], ids=["untold", "another is missing"])
async def test_offsets_without_records_are_a_gap_where_one_may_be_missing(house: House, previous: int | None) -> None:
    folding = runner(house)
    await apply(house, folding, [record(0, 1, "a", "x", 0)])
    with pytest.raises((OffsetGap, RecordsMissing)):
        await apply(house, folding, [record(2, 5, "a", "y", previous)])
    assert await counts(house) == [("a", 1, "x;")]


async def test_missing_records_halt_and_write_nothing(house: House) -> None:
    with pytest.raises(OffsetGap):
        await apply(house, runner(house), [record(1, 2, "a", "x")])
    assert await counts(house) == []


async def test_a_topic_that_was_made_anew_halts_instead_of_being_skipped(house: House) -> None:
    await apply(house, runner(house), [record(n, n + 1, "a", f"{n}") for n in range(5)])
    with pytest.raises(OffsetGap):
        await apply(house, runner(house), [record(0, 6, "a", "new")])


async def test_reading_starts_at_the_lowest_position_and_each_projection_skips_by_its_own(house: House) -> None:
    other = Projection("behind", (FILLED,), (), lambda _: {}, lambda _, __: {})
    await apply(house, runner(house), [record(0, 1, "a", "x"), record(1, 2, "a", "y")])
    both = runner(house, COUNTING, other)
    assert await both.start_offsets([(house.prefix + TOPIC, 0)]) == {(house.prefix + TOPIC, 0): 0}
    await apply(house, both, [record(0, 1, "a", "x"), record(1, 2, "a", "y"), record(2, 3, "a", "z")])
    assert await counts(house) == [("a", 3, "x;y;z;")]
    assert await both.start_offsets([(house.prefix + TOPIC, 0)]) == {(house.prefix + TOPIC, 0): 3}


async def test_a_failure_in_mid_batch_leaves_no_trace_and_the_retry_applies_all(house: House) -> None:
    def failing(*_: Any) -> Any:
        raise RuntimeError("killed between write and acknowledge")

    broken = Projection("then-fails", (FILLED,), (), lambda _: {}, failing)
    batch = [record(0, 1, "a", "x"), record(1, 2, "b", "y")]
    with pytest.raises(RuntimeError):
        await apply(house, runner(house, COUNTING, broken, parks=False), batch)
    assert await counts(house) == [] and await house.rows("SELECT 1 FROM fold_position") == []
    await apply(house, runner(house), batch)
    assert await counts(house) == [("a", 1, "x;"), ("b", 1, "y;")]


async def test_poison_is_parked_with_what_waits_behind_it_and_the_rest_goes_on(house: House) -> None:
    batch = [record(0, 1, "a", "x"), record(1, 2, "a", "poison"), record(2, 3, "b", "y"), record(3, 4, "a", "z")]
    await apply(house, runner(house), batch)
    await apply(house, runner(house), [record(4, 5, "a", "later"), record(5, 6, "b", "w")])
    assert await counts(house) == [("a", 1, "x;"), ("b", 2, "y;w;")]
    parked = await house.rows("SELECT seq, reason FROM dead_letter ORDER BY seq")
    assert [row[0] for row in parked] == [2, 4, 5] and parked[0][1] == "poisonous title"


async def test_poison_takes_nothing_along_from_the_other_partitions_of_a_fetch(house: House) -> None:
    topic = house.prefix + TOPIC
    poisoned = [record(0, 1, "a", "poison"), record(1, 3, "a", "y")]
    sound = [record(0, 2, "b", "x"), record(1, 4, "b", "y")]
    await runner(house).apply([PartitionBatch(topic, 0, poisoned), PartitionBatch(topic, 1, sound)])
    assert await counts(house) == [("b", 2, "x;y;")]


async def test_redrive_applies_parked_records_in_order_once_the_fold_can(house: House) -> None:
    batch = [record(0, 1, "a", "poison"), record(1, 2, "a", "y"), record(2, 3, "a", "z")]
    await apply(house, runner(house), batch)
    async with house.pool.connection() as conn:
        with pytest.raises(Poison):
            await redrive(conn, COUNTING, JsonInsteadOfAvro(), "a")
    async with house.pool.connection() as conn:
        assert await discard(conn, COUNTING.name, str(event_id("a", 1))) == 1
    async with house.pool.connection() as conn:
        assert await redrive(conn, COUNTING, JsonInsteadOfAvro(), "a") == 2
    await apply(house, runner(house), [*batch, record(3, 4, "a", "w")])
    assert await counts(house) == [("a", 3, "y;z;w;")]
    assert await house.rows("SELECT 1 FROM dead_letter") == []


async def test_a_fold_of_money_halts_on_poison(house: House) -> None:
    with pytest.raises(Poison):
        await apply(house, runner(house, parks=False), [record(0, 1, "a", "x"), record(1, 2, "a", "poison")])
    assert await counts(house) == [] and await house.rows("SELECT 1 FROM dead_letter") == []


def react(event: PublicRecord) -> list[Item]:
    cause = Context(now=event.occurred_at, actor="copying", correlation_id="c", causation_id=event.id)
    return [Item((Ask(SHELF, f"copy-{event.data['shelf']}", AddBook(event.data["title"])),), cause)]


COPYING = Process("copying", (FILLED,), react)


async def test_a_process_reacts_once_and_its_events_commit_with_its_position(house: House) -> None:
    batch = [record(0, 1, "a", "x"), record(1, 2, "a", "y")]
    for _ in range(2):
        await apply(house, runner(house, processes=(COPYING,)), batch)
    recorded = "SELECT stream, version, data->>'title', meta->>'causation_id' FROM events ORDER BY version"
    assert await house.rows(recorded) == [
        ("shelf-copy-a", 1, "x", str(event_id("a", 1))),
        ("shelf-copy-a", 2, "y", str(event_id("a", 2))),
    ]


async def test_what_a_process_reacts_to_is_applied_in_parts_for_it_holds_the_streams_that_it_writes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given room for two records in a transaction, and one of five that a process cannot react to
    monkeypatch.setattr("eventfold.fold.runner.REACTING_RECORDS", 2)
    titles = ["v", "w", "x", "", "z"]
    batch = [record(n, n + 1, "a", title) for n, title in enumerate(titles)]
    with pytest.raises(Exception, match="needs a title"):
        await apply(house, runner(house, processes=(COPYING,)), batch)
    # Then what came in the parts before it stands
    assert await house.rows("SELECT data->>'title' FROM events ORDER BY version") == [("v",), ("w",)]
    assert await house.rows("SELECT next_offset::int FROM fold_position WHERE projection = 'copying'") == [(2,)]


async def test_a_process_whose_command_is_refused_halts_without_moving(house: House) -> None:
    await house.store.handle(add("one", "a"), context())
    with pytest.raises(Exception, match="needs a title"):
        await apply(house, runner(house, processes=(COPYING,)), [record(0, 1, "a", "")])
    assert await house.rows("SELECT 1 FROM fold_position WHERE projection = 'copying'") == []


@given(
    books=st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz", min_size=1, max_size=2)), max_size=20),
    cuts=st.lists(st.integers(1, 5), max_size=20),
    seed=st.integers(0, 1000),
)
def test_folding_does_not_depend_on_how_keys_interleave_or_batches_are_cut(
    books: list[tuple[str, str]], cuts: list[int], seed: int
) -> None:
    events = [_public(n, shelf, title) for n, (shelf, title) in enumerate(books)]
    queues = {shelf: [event for event in events if event.key == shelf] for shelf in "abc"}
    order = [event.key for event in events]
    random.Random(seed).shuffle(order)
    shuffled = [queues[key].pop(0) for key in order]
    assert _fold_in_batches(events, []) == _fold_in_batches(shuffled, cuts)


def _public(n: int, shelf: str, title: str) -> PublicRecord:
    delivered = record(n, n + 1, shelf, title)
    return PublicRecord("t", 0, delivered, {"shelf": shelf, "title": title})


def _fold_in_batches(events: list[PublicRecord], cuts: list[int]) -> dict[Any, Any]:
    rows: dict[Any, Any] = {}
    remaining = list(events)
    for size in [*cuts, max(1, len(events))]:
        batch, remaining = remaining[:size], remaining[size:]
        rows.update(fold({"shelf_count": rows}, batch).get("shelf_count", {}))
    return rows
