"""The store: what is decided is recorded once, in order, or not at all."""

from __future__ import annotations

import asyncio

import pytest
from house import House, context
from hypothesis import given
from hypothesis import strategies as st
from relaying import eventually
from shelf import CODEC, DECIDER, HOT_SHELF, SHELF, AddBook, Audited, BookAdded, Shelf, add

from eventfold import Ask, EventCodec, Idempotency, Item
from eventfold.errors import IdempotencyMismatch, Unpublishable, WrongState
from eventfold.vocabulary.codec import UnknownEventType
from eventfold.write.idempotency import sweep_idempotency

READ_WITHIN_S = 30.0
B = '{"title": "b"}'


async def titles(house: House, stream: str) -> list[str]:
    async with house.pool.connection() as conn:
        return [recorded.event.title for recorded in (await house.store.load(conn, [stream]))[stream]]


async def test_events_of_a_decision_are_read_back_in_version_order(house: House) -> None:
    for title in ("a", "b", "c"):
        await house.store.handle(add("one", title), context())
    assert await titles(house, "shelf-one") == ["a", "b", "c"]
    assert await house.rows("SELECT version FROM events ORDER BY position") == [(1,), (2,), (3,)]
    assert await house.rows("SELECT count(*) FROM unsequenced NATURAL JOIN events") == [(3,)]


async def test_a_deadlock_of_two_batches_is_a_conflict_like_another(house: House) -> None:
    await house.store.handle_batch([add("one", "a"), add("two", "a")], context())
    rest = "type, schema_version, data, partition_key, occurred_at, recorded_at, meta"
    insert = (
        f"INSERT INTO events (stream, version, {rest}) SELECT stream, 2, {rest.replace('data', '%s')} "
        "FROM events WHERE stream = %s"
    )
    async with await house.connect() as other:
        await other.set_autocommit(False)
        await other.execute(insert, [B, "shelf-two"])
        batch = asyncio.create_task(house.store.handle_batch([add("one", "c"), add("two", "c")], context()))

        async def waits() -> bool:
            return await house.rows("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'") != []

        await eventually(waits)
        await other.execute(insert, [B, "shelf-one"])  # who has waited for longer is told of the deadlock
        await other.commit()
    await batch
    assert [await titles(house, stream) for stream in ("shelf-one", "shelf-two")] == [["a", "b", "c"], ["a", "b", "c"]]


async def test_a_repeated_command_records_nothing(house: House) -> None:
    await house.store.handle(add("one", "a"), context())
    handled = await house.store.handle(add("one", "a"), context())
    assert handled.position is None and handled.outcomes[0].events == ()
    assert await titles(house, "shelf-one") == ["a"]


async def test_a_refusal_reaches_the_caller_and_leaves_nothing(house: House) -> None:
    with pytest.raises(WrongState) as refusal:
        await house.store.handle(Item((Ask(SHELF, "one", AddBook("a")), Ask(SHELF, "two", AddBook("")))), context())
    assert refusal.value.field == "title"
    assert await house.rows("SELECT count(*) FROM events") == [(0,)]


async def test_in_a_batch_refused_items_do_not_stop_the_others_and_each_sees_the_earlier_ones(house: House) -> None:
    items = [add("one", "a"), add("one", ""), add("one", "a"), add("one", "b")]
    handled = await house.store.handle_batch(items, context())
    assert [len(outcome.events) for outcome in handled.outcomes] == [1, 0, 0, 1]
    assert isinstance(handled.outcomes[1].error, WrongState)
    assert await titles(house, "shelf-one") == ["a", "b"]


async def test_an_event_that_cannot_be_published_fails_its_command(house: House) -> None:
    with pytest.raises(Unpublishable):
        await house.store.handle(add("one", "unpublishable"), context())
    assert await house.rows("SELECT count(*) FROM events") == [(0,)]


@pytest.mark.parametrize("kind", [SHELF, HOT_SHELF], ids=["optimistic", "locked"])
async def test_concurrent_writers_of_one_stream_lose_nothing(house: House, kind: object) -> None:
    commands = [house.store.handle(add("one", f"book {n}", kind), context(), deadline_s=30) for n in range(40)]  # type: ignore[arg-type]
    await asyncio.gather(*commands)
    rows = await house.rows("SELECT version, data->>'title' FROM events ORDER BY version")
    assert [version for version, _ in rows] == list(range(1, 41))
    assert {title for _, title in rows} == {f"book {n}" for n in range(40)}


async def test_the_next_writer_of_a_hot_stream_waits_and_then_sees_what_was_written(house: House) -> None:
    async with await house.connect() as conn:
        async with conn.transaction():
            await house.store.decide(conn, [add("one", "a", HOT_SHELF)], context())
            second = asyncio.create_task(house.store.handle(add("one", "b", HOT_SHELF), context()))
            await eventually(lambda: _waits_for_a_lock(house))
            assert not second.done()
        await second
    assert await house.rows("SELECT version, data->>'title' FROM events ORDER BY version") == [(1, "a"), (2, "b")]


async def _waits_for_a_lock(house: House) -> bool:
    return await house.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != []


async def test_readers_of_a_hot_stream_do_not_wait_for_its_writers(house: House) -> None:
    await house.store.handle(add("one", "a", HOT_SHELF), context())
    async with await house.connect() as conn, conn.transaction():
        await house.store.decide(conn, [add("one", "b", HOT_SHELF)], context())
        state = await asyncio.wait_for(house.store.current(Ask(HOT_SHELF, "one", AddBook(""))), timeout=READ_WITHIN_S)
        assert state == Shelf(frozenset({"a"}))


async def test_an_idempotency_key_answers_again_without_deciding_again(house: House) -> None:
    key = Idempotency("caller|AddBook", "k1", b"print")
    first = await house.store.handle(add("one", "a"), context(), idempotency=key, answer=lambda _: {"id": "x"})
    again = await house.store.handle(add("one", "z"), context(), idempotency=key, answer=lambda _: {"id": "y"})
    assert again.replayed and again.answer == first.answer == {"id": "x"} and again.position == first.position
    assert await titles(house, "shelf-one") == ["a"]


async def test_an_idempotency_key_with_another_input_is_an_error(house: House) -> None:
    await house.store.handle(add("one", "a"), context(), idempotency=Idempotency("s", "k", b"1"))
    with pytest.raises(IdempotencyMismatch):
        await house.store.handle(add("one", "b"), context(), idempotency=Idempotency("s", "k", b"2"))


async def test_concurrent_uses_of_one_key_decide_once(house: House) -> None:
    key = Idempotency("s", "k", b"1")
    attempts = [
        house.store.handle(add("one", f"book {n}"), context(), idempotency=key, answer=lambda _: {"id": "x"})
        for n in range(8)
    ]
    handled = await asyncio.gather(*attempts)
    assert sum(not one.replayed for one in handled) == 1
    assert len(await titles(house, "shelf-one")) == 1


async def test_old_idempotency_answers_are_swept_in_bounded_steps(house: House) -> None:
    for n in range(3):
        await house.store.handle(add("one", f"{n}"), context(), idempotency=Idempotency("s", f"k{n}", b"1"))
    async with house.pool.connection() as conn:
        assert await sweep_idempotency(conn, keep_days=0, limit_rows=2) == 2
        assert await sweep_idempotency(conn, keep_days=0, limit_rows=2) == 1


def test_reading_upcasts_old_versions_step_by_step() -> None:
    codec = EventCodec(
        {BookAdded: ("book.added", 3)},
        {
            ("book.added", 1): lambda data: {"name": data["n"]},
            ("book.added", 2): lambda data: {"title": data["name"]},
        },
    )
    assert codec.decode("book.added", 1, {"n": "a"}) == codec.decode("book.added", 2, {"name": "a"}) == BookAdded("a")


@pytest.mark.parametrize(("name", "version"), [("book.added", 2), ("book.burnt", 1)])
def test_reading_refuses_what_a_newer_build_wrote(name: str, version: int) -> None:
    with pytest.raises(UnknownEventType):
        CODEC.decode(name, version, {"title": "a"})


@given(st.lists(st.text(min_size=1, max_size=3).filter(lambda title: title != "audit")))
def test_deciding_one_by_one_equals_folding_what_was_recorded(wanted: list[str]) -> None:
    state = Shelf()
    events: list[BookAdded | Audited] = []
    for title in wanted:
        decided = DECIDER.decide(AddBook(title), state)
        state, events = DECIDER.fold(decided, state), [*events, *decided]
    assert DECIDER.fold(events) == state and state.titles == set(wanted)


async def test_a_stream_said_to_be_new_is_read_when_it_is_not(house: House) -> None:
    await house.store.handle(add("one", "a"), context())
    item = Item((Ask(SHELF, "one", AddBook("a"), new=True), Ask(SHELF, "one", AddBook("b"), new=True)))
    handled = await house.store.handle(item, context())
    assert [recorded.event.title for recorded in handled.outcomes[0].events] == ["b"]
    assert await titles(house, "shelf-one") == ["a", "b"]


async def test_an_answer_under_a_key_that_was_replaced_is_still_the_answer(house: House) -> None:
    first = Idempotency("s", "k", b"under the old key")
    given = await house.store.handle(add("one", "a"), context(), idempotency=first, answer=lambda _: {"id": "1"})
    again = Idempotency("s", "k", b"under the new key", accepted=(b"under the old key",))
    repeated = await house.store.handle(add("one", "a"), context(), idempotency=again)
    assert repeated.replayed and (repeated.answer, repeated.position) == (given.answer, given.position)
    with pytest.raises(IdempotencyMismatch):
        await house.store.handle(add("one", "b"), context(), idempotency=Idempotency("s", "k", b"b", (b"c",)))
