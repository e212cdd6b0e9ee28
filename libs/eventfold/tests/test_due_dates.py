"""Due dates: kept with the events that set them, and one effect for each, whoever looks and whatever dies."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from alarms import (
    ALARM,
    CODEC,
    HOT_ALARM,
    PACE,
    CancelAlarm,
    Clock,
    Refuse,
    SetAlarm,
    Touch,
    Unpublished,
    asked,
    dates,
    record,
    ring,
    rung,
    store_of,
    worker,
)
from house import NOW, House, context
from prometheus_client import REGISTRY
from relaying import eventually

from eventfold import Ask, Connection, Due, DueHandler, EventStore, Item, Pace, Recorded
from eventfold.errors import LeaseLost, OutcomeUnknown, Unpublishable
from eventfold.publish import lease as leases
from eventfold.publish.lease import Lease
from eventfold.timers import due_worker
from eventfold.timers.due_worker import DueWorker
from eventfold.vocabulary.decider import event_id
from eventfold.vocabulary.due import timer

SOON = NOW + timedelta(seconds=10)
LATER = NOW + timedelta(seconds=20)


class Led:
    """A worker's connection and its term, for looks by hand."""

    def __init__(self, conn: Connection, lease: Lease) -> None:
        self.conn = conn
        self.lease = lease

    async def look(self, one: DueWorker) -> int:
        return await one.look(self.conn, self.lease)


@pytest.fixture
async def led(house: House) -> AsyncIterator[Led]:
    async with await house.connect() as conn:
        lease = await leases.acquire(conn, "due", "one", lease_s=60)
        assert lease
        yield Led(conn, lease)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_an_event_sets_moves_and_cancels_its_streams_date(house: House) -> None:
    store = store_of(house)
    await record(store, "a", SetAlarm(SOON))
    await record(store, "b", SetAlarm(SOON))
    assert await dates(house) == [("a", SOON, 0), ("b", SOON, 0)]
    await record(store, "a", SetAlarm(LATER))
    await record(store, "b", Touch())
    assert await dates(house) == [("a", LATER, 0), ("b", SOON, 0)]
    await record(store, "a", CancelAlarm())
    await record(store, "a", CancelAlarm())
    assert await dates(house) == [("b", SOON, 0)]


async def test_of_several_events_of_one_batch_the_last_counts(house: House) -> None:
    items = [
        asked("a", SetAlarm(SOON)),
        asked("b", SetAlarm(SOON)),
        asked("a", SetAlarm(LATER)),
        asked("b", CancelAlarm()),
        asked("a", Touch()),
    ]
    await store_of(house).handle_batch(items, context())
    assert await dates(house) == [("a", LATER, 0)]


async def test_a_date_is_not_kept_without_its_event(house: House) -> None:
    store = store_of(house)
    async with await house.connect() as conn:
        await conn.execute("BEGIN")
        await store.decide(conn, [asked("a", SetAlarm(SOON))], context())
        await conn.execute("ROLLBACK")
    assert await dates(house) == [] and await house.rows("SELECT 1 FROM events") == []
    async with await house.connect() as conn:  # in autocommit mode it has a transaction of its own
        await store.decide(conn, [asked("a", SetAlarm(SOON))], context())
    assert await dates(house) == [("a", SOON, 0)]


async def test_a_date_goes_with_its_event_where_that_cannot_be_published(house: House) -> None:
    class Full(Unpublished):
        def value(self, recorded: Recorded) -> bytes | None:
            raise Unpublishable(recorded.stream, recorded.type, "too large")

    store = EventStore(house.pool, CODEC, Full(), random.Random(7))
    with pytest.raises(Unpublishable):
        await store.handle(asked("a", SetAlarm(SOON)), context())
    assert await dates(house) == []


async def test_writers_that_collide_leave_the_date_of_the_last(house: House) -> None:
    store = store_of(house)
    moments = [NOW + timedelta(seconds=n) for n in range(6)]
    await asyncio.gather(*(record(store, "a", SetAlarm(at)) for at in moments))
    last = await house.rows("SELECT data->>'at', version FROM events ORDER BY version DESC LIMIT 1")
    [(_, due_at, _)] = await dates(house)
    assert (due_at.isoformat(), 6) == last[0]


async def test_nothing_happens_before_the_time_and_one_thing_after_it(house: House, led: Led, clock: Clock) -> None:
    await record(store_of(house), "a", SetAlarm(SOON))
    one = worker(house, clock)
    clock.pass_(9.999)
    assert await led.look(one) == 0 and await rung(house) == {}
    clock.pass_(0.001)
    assert await led.look(one) == 1
    assert await rung(house) == {"a": 1} and await dates(house) == []
    clock.pass_(10_000)
    assert await led.look(one) == 0 and await rung(house) == {"a": 1}


async def test_the_effect_is_caused_by_the_event_that_set_the_date(house: House, led: Led, clock: Clock) -> None:
    await record(store_of(house), "a", Touch())
    await record(store_of(house), "a", SetAlarm(NOW))
    await led.look(worker(house, clock))
    assert await house.rows("SELECT version, meta, recorded_at FROM events ORDER BY version DESC LIMIT 1") == [
        (3, {"actor": "due", "correlation_id": "correlation", "causation_id": str(event_id("alarm-a", 2))}, NOW)
    ]


async def test_in_a_later_history_the_effect_names_its_cause_by_the_id_that_it_has_on_the_topics(
    house: House, led: Led, clock: Clock
) -> None:
    """Given a date whose event is numbered in the history before, and one that has no number yet."""
    await record(store_of(house), "a", SetAlarm(NOW))
    await house.rows("INSERT INTO sequence_run SELECT 1, position, 1 FROM events RETURNING 1")
    await house.rows("INSERT INTO history VALUES (2, 'salt', 1000, 1, 1, clock_timestamp()) RETURNING 1")
    await record(store_of(house), "b", SetAlarm(NOW))
    await led.look(worker(house, clock))
    causes = "SELECT stream, meta->>'causation_id' FROM events WHERE type = 'alarm.rang' ORDER BY stream"
    assert await house.rows(causes) == [
        ("alarm-a", str(event_id("alarm-a", 1))),
        ("alarm-b", str(event_id("alarm-b", 1, "salt"))),
    ]


async def test_a_stream_that_somebodys_transaction_holds_is_looked_at_later_and_keeps_no_other(
    house: House, led: Led, clock: Clock
) -> None:
    store = store_of(house)
    for one in "ab":
        await record(store, one, SetAlarm(NOW))
    await led.conn.execute("SET lock_timeout = '100ms'")
    async with await house.connect() as writer:
        await writer.execute("BEGIN")
        await store.decide(writer, [asked("a", Touch())], context())
        assert await led.look(worker(house, clock)) == 2
        assert await rung(house) == {"b": 1}
        await writer.execute("COMMIT")
    clock.pass_(10)
    assert await led.look(worker(house, clock)) == 1 and await rung(house) == {"a": 1, "b": 1}


async def test_a_handler_is_told_state_time_and_attempt_and_may_wait(house: House, led: Led, clock: Clock) -> None:
    seen: list[Due] = []

    def react(due: Due) -> Item | None:
        seen.append(due)
        return ring(due) if due.attempt == 3 else None

    await record(store_of(house), "a", SetAlarm(NOW))
    one = worker(house, clock, timer(ALARM, react, PACE))
    for pause_s in (0.79, 0.21, 1.59, 0.41, 0):
        await led.look(one)
        clock.pass_(pause_s)
    assert [(due.stream_id, due.state, due.since, due.attempt) for due in seen] == [("a", 1, NOW, n) for n in (1, 2, 3)]
    assert await rung(house) == {"a": 1}


async def test_a_date_that_its_own_effect_sets_anew_stays(house: House, led: Led, clock: Clock) -> None:
    def snooze(due: Due) -> Item:
        return Item((*ring(due).asks, Ask(ALARM, due.stream_id, SetAlarm(due.now + timedelta(seconds=5)))))

    await record(store_of(house), "a", SetAlarm(NOW))
    one = worker(house, clock, timer(ALARM, snooze, PACE))
    for _ in range(3):
        await led.look(one)
        await led.look(one)
        clock.pass_(5)
    assert await rung(house) == {"a": 3} and await dates(house) == [("a", clock.now, 0)]


@pytest.mark.parametrize("command", [SetAlarm(LATER), CancelAlarm()], ids=["moved", "cancelled"])
async def test_a_date_that_changes_during_the_look_has_no_effect(
    house: House, led: Led, clock: Clock, command: Any
) -> None:
    store = store_of(house)

    async def handle(due: Due) -> Item:
        await record(store, "a", command)
        return ring(due)

    await record(store, "a", SetAlarm(NOW))
    await led.look(worker(house, clock, DueHandler(ALARM, handle, PACE)))
    assert await rung(house) == {}
    assert await dates(house) == ([("a", LATER, 0)] if isinstance(command, SetAlarm) else [])


async def test_what_is_refused_waits_for_its_pause_and_keeps_no_other(house: House, led: Led, clock: Clock) -> None:
    def react(due: Due) -> Item:
        return asked("a", Refuse()) if due.stream_id == "a" else ring(due)

    for alarm in "ab":
        await record(store_of(house), alarm, SetAlarm(NOW))
    before = looks("refused")
    await led.look(worker(house, clock, timer(ALARM, react, PACE)))
    assert await rung(house) == {"b": 1} and looks("refused") == before + 1
    [(alarm, due_at, attempts)] = await dates(house)
    assert (alarm, attempts) == ("a", 1) and 0.8 <= (due_at - NOW).total_seconds() <= 1


async def test_a_handler_without_an_answer_is_asked_again_and_one_that_fails_is_raised(
    house: House, led: Led, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[Exception] = [OutcomeUnknown("p", "away"), TimeoutError(), ZeroDivisionError()]

    async def handle(due: Due) -> Item:
        raise failures[due.attempt - 1]

    await record(store_of(house), "a", SetAlarm(NOW))
    one = worker(house, clock, DueHandler(ALARM, handle, PACE))
    for _ in range(2):
        await led.look(one)
        clock.pass_(60)
    with pytest.raises(ZeroDivisionError):
        await led.look(one)
    assert await rung(house) == {} and [row[2] for row in await dates(house)] == [3]


async def test_a_handler_that_never_returns_is_left_after_a_bounded_time(
    house: House, led: Led, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_worker, "HANDLE_WITHIN_S", 0.05)

    async def handle(due: Due) -> Item | None:
        if due.stream_id == "a":
            await asyncio.Event().wait()
        return ring(due)

    for alarm in "ab":
        await record(store_of(house), alarm, SetAlarm(NOW))
    await led.look(worker(house, clock, DueHandler(ALARM, handle, PACE)))
    assert await rung(house) == {"b": 1} and [row[0] for row in await dates(house)] == ["a"]


async def test_the_lease_is_renewed_while_a_handler_asks(
    house: House, led: Led, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_worker, "RENEW_EVERY_S", 0.01)
    expiry = "SELECT expires_at FROM lease"

    async def handle(due: Due) -> Item:
        asked_at = await house.rows(expiry)
        await eventually(lambda: _differs(house, expiry, asked_at))
        return ring(due)

    await record(store_of(house), "a", SetAlarm(NOW))
    await led.look(worker(house, clock, DueHandler(ALARM, handle, PACE)))
    assert await rung(house) == {"a": 1}


async def test_a_zombie_records_nothing_and_its_successor_does_it_once(house: House, led: Led, clock: Clock) -> None:
    async def handle(due: Due) -> Item:
        async with await house.connect() as other:  # while this one asks, it is stopped past its lease
            await leases.depose(other, "due")
        return ring(due)

    await record(store_of(house), "a", SetAlarm(NOW))
    with pytest.raises(LeaseLost):
        await led.look(worker(house, clock, DueHandler(ALARM, handle, PACE)))
    assert await rung(house) == {}
    async with await house.connect() as conn:
        lease = await leases.acquire(conn, "due", "two")
        assert lease
        successor = worker(house, clock, holder="two")
        assert await successor.look(conn, lease) == 0, "it waits for the pause"
        clock.pass_(1)
        await successor.look(conn, lease)
    with pytest.raises(LeaseLost):
        await led.look(worker(house, clock))
    assert await rung(house) == {"a": 1}


async def test_looks_are_bounded_and_the_longest_due_come_first(
    house: House, led: Led, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_worker, "STREAMS_A_LOOK", 2)
    for n, alarm in enumerate("edcba"):
        await record(store_of(house), alarm, SetAlarm(NOW + timedelta(seconds=n)))
    clock.pass_(10)
    one = worker(house, clock)
    assert await led.look(one) == 2 and set(await rung(house)) == {"e", "d"}
    assert REGISTRY.get_sample_value("eventfold_due_lag_seconds", {"worker": "due"}) == 10
    assert [await led.look(one) for _ in range(3)] == [2, 1, 0]
    assert await rung(house) == dict.fromkeys("abcde", 1)
    assert REGISTRY.get_sample_value("eventfold_due_lag_seconds", {"worker": "due"}) == 0


async def test_streams_of_other_types_are_left_to_those_who_know_them(house: House, led: Led, clock: Clock) -> None:
    await record(store_of(house), "a", SetAlarm(NOW), HOT_ALARM)
    assert await led.look(worker(house, clock)) == 0
    assert [row[0] for row in await dates(house)] == ["a"]


async def test_a_hot_stream_is_locked_before_its_date_as_its_writers_do(house: House, led: Led, clock: Clock) -> None:
    """The other order would end in a deadlock, which PostgreSQL breaks after a second at somebody's cost."""
    store = store_of(house)
    await record(store, "a", SetAlarm(NOW), HOT_ALARM)
    handler = timer(HOT_ALARM, lambda due: asked(due.stream_id, Touch(), HOT_ALARM), PACE)
    one = worker(house, clock, handler)
    async with await house.connect() as writer:
        await writer.execute("BEGIN")
        await store.wait_for_turns(writer, [HOT_ALARM.at("a")])
        looking = asyncio.create_task(led.look(one))
        await eventually(lambda: _waits_for_an_advisory_lock(house))
        await store.decide(writer, [asked("a", SetAlarm(LATER), HOT_ALARM)], context())
        await writer.execute("COMMIT")
    await looking
    assert await dates(house) == [("a", LATER, 0)]


async def test_two_workers_at_once_have_one_effect_for_each(house: House) -> None:
    store, clock = store_of(house), Clock()
    for n in range(60):
        await record(store, f"{n}", SetAlarm(NOW))
    running = [asyncio.create_task(worker(house, clock, holder=name).run()) for name in ("one", "two")]
    try:
        await eventually(lambda: _all_rung(house, 60))
        await record(store, "last", SetAlarm(NOW))
        await eventually(lambda: _all_rung(house, 61))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    assert set((await rung(house)).values()) == {1}


async def test_a_worker_that_is_woken_does_not_wait_for_its_poll(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_worker, "POLL_MIN_S", 3600.0)
    monkeypatch.setattr(due_worker, "POLL_MAX_S", 3600.0)
    one = worker(house, Clock())
    running = asyncio.create_task(one.run())
    try:
        await eventually(lambda: _leads(house))
        await record(store_of(house), "a", SetAlarm(NOW))
        one.wake()
        await eventually(lambda: _all_rung(house, 1))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_lost_connection_only_costs_a_new_start(house: House) -> None:
    opened: list[Connection] = []

    async def connect() -> Connection:
        opened.append(await house.connect())
        return opened[-1]

    running = asyncio.create_task(worker(house, Clock(), connect=connect).run())
    try:
        await eventually(lambda: _leads(house))
        await house.rows(f"SELECT pg_terminate_backend({opened[0].info.backend_pid})")
        await record(store_of(house), "a", SetAlarm(NOW))
        await eventually(lambda: _all_rung(house, 1))
        assert len(opened) > 1
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def looks(result: str) -> float:
    labels = {"worker": "due", "stream_type": "alarm", "result": result}
    return REGISTRY.get_sample_value("eventfold_due_looks_total", labels) or 0


def test_pauses_double_up_to_the_longest_and_differ() -> None:
    pace, rng = Pace(timedelta(seconds=30), timedelta(hours=1)), random.Random(1)
    whole = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    for attempt, seconds in [*enumerate(whole, 1), (10_000, 3600)]:
        pauses = {pace.pause(attempt, rng).total_seconds() for _ in range(50)}
        assert len(pauses) > 40 and all(0.8 * seconds <= pause <= seconds for pause in pauses)


async def _differs(house: House, query: str, before: object) -> bool:
    return await house.rows(query) != before


async def _all_rung(house: House, count: int) -> bool:
    return len(await rung(house)) == count and await dates(house) == []


async def _leads(house: House) -> bool:
    return await house.rows("SELECT 1 FROM lease WHERE expires_at > clock_timestamp()") != []


async def _waits_for_an_advisory_lock(house: House) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND pid <> pg_backend_pid()"
    return await house.rows(query) != []
