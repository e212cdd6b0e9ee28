"""The relay: everything committed reaches Kafka in stream order, whoever crashes, sleeps or overlaps."""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import AsyncIterator, Mapping
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError
from house import House, context
from reading import assert_unbroken_runs, header, read_all, stored_order
from relaying import eventually, everything_acknowledged, relaying
from shelf import CODEC, TOPIC, add

from eventfold import EventCodec
from eventfold.errors import InvalidInput, LeaseLost, TopicMisconfigured
from eventfold.publish import generations, lease, relay, term
from eventfold.publish.brokers import Brokers
from eventfold.publish.outgoing import Target
from eventfold.publish.relay import Relay
from eventfold.publish.sending import Producer
from eventfold.publish.topics import prepare_topics
from eventfold.publish.witness import tails_of
from eventfold.reading import consistency
from eventfold.reading.consistency import Token
from eventfold.vocabulary.codec import UnknownEventType

PARTITIONS = 4


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> str:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=PARTITIONS)
    return house.prefix + TOPIC


async def test_events_arrive_keyed_in_order_with_their_envelope(house: House, brokers: Brokers, topic: str) -> None:
    await house.store.handle_batch([add("one", "a"), add("one", "audit"), add("one", "b"), add("two", "c")], context())
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    records = await read_all(brokers, topic)
    assert_unbroken_runs(records, await stored_order(house))
    first = next(record for record in records if header(record, "ce_sequence") == "1")
    assert first.key == b"one" and header(first, "ce_partitionkey") == "one"
    assert header(first, "ce_type") == "test.library.shelf.filled.v1" and header(first, "ce_subject") == "shelf-one"
    assert header(first, "ce_time") == "2026-03-01T12:00:00.000000Z" and header(first, "ce_specversion") == "1.0"
    assert {header(record, "ce_aggregateversion") for record in records if record.key == b"one"} == {"1", "3"}


async def test_interleaved_writers_are_published_in_stream_order(house: House, brokers: Brokers, topic: str) -> None:
    async with relaying(house, brokers) as running:
        await asyncio.gather(*(_write_shelf(house, running, shelf, 25) for shelf in range(8)))
        await eventually(lambda: everything_acknowledged(house))
    assert_unbroken_runs(await read_all(brokers, topic), await stored_order(house))
    rows = await house.rows("SELECT seq FROM event_sequence ORDER BY seq")
    assert [row[0] for row in rows] == list(range(1, 201)), "the sequence is dense"
    disorder = await house.rows(
        """WITH e AS (SELECT * FROM events JOIN event_sequence USING (position))
           SELECT 1 FROM e AS a JOIN e AS b USING (stream) WHERE a.version < b.version AND a.seq > b.seq"""
    )
    assert disorder == []


async def _write_shelf(house: House, running: Relay, shelf: int, books: int) -> None:
    for n in range(books):
        await house.store.handle(add(str(shelf), f"book {n}"), context())
        running.wake()


async def test_a_late_commit_with_a_lower_position_is_not_overlooked(
    house: House, brokers: Brokers, topic: str
) -> None:
    async with await psycopg.AsyncConnection.connect(house.url) as slow:
        await house.store.decide(slow, [add("slow", "first position")], context())
        await house.store.handle(add("fast", "second position"), context())
        async with relaying(house, brokers):
            await eventually(lambda: everything_acknowledged(house))
            await slow.commit()
            await eventually(lambda: everything_acknowledged(house))
    assert await house.rows(
        "SELECT stream, seq FROM events JOIN event_sequence USING (position) ORDER BY position"
    ) == [
        ("shelf-slow", 2),
        ("shelf-fast", 1),
    ]
    assert len(await read_all(brokers, topic)) == 2


async def test_a_relay_that_died_between_send_and_cursor_is_followed_without_loss(
    house: House, brokers: Brokers, topic: str
) -> None:
    await house.store.handle_batch([add(str(n % 5), f"book {n}") for n in range(50)], context())
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    await house.rows("UPDATE lease SET cursor = 20 RETURNING 1")
    async with relaying(house, brokers, "two"):
        await eventually(lambda: everything_acknowledged(house))
    records = await read_all(brokers, topic)
    assert len(records) == 50, "what the topic holds already is not sent again"
    assert_unbroken_runs(records, await stored_order(house))


class FailingOnce:
    """A producer whose nth batch fails after the broker took it: the send error that leaves the outcome unknown."""

    def __init__(self, brokers: Brokers, fail_at: int) -> None:
        self._bootstrap = brokers
        self._left = fail_at
        self.fired = False

    def __call__(self) -> AIOKafkaProducer:
        made = Producer(self._bootstrap, "failing")
        send = made.send_batch

        async def send_batch(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            future = await send(*arguments, **named)
            if self._left == 0:
                await future
                self.fired = True
                raise KafkaTimeoutError("acknowledgement lost")
            return future

        made.send_batch = send_batch
        return made


@pytest.mark.parametrize("fail_at", [1, 2, 4])
async def test_after_a_send_error_the_run_goes_on_where_the_topic_ends(
    house: House, brokers: Brokers, topic: str, fail_at: int
) -> None:
    await house.store.handle_batch([add(str(n), f"book {n}") for n in range(40)], context())
    failing = FailingOnce(brokers, fail_at)
    async with relaying(house, brokers, producers=failing):
        await eventually(lambda: everything_acknowledged(house))
    records = await read_all(brokers, topic)
    assert failing.fired and len(records) == 40, "what the topic holds already is not sent again"
    assert_unbroken_runs(records, await stored_order(house))


class Unreadable(EventCodec):
    """A build that cannot read what the store holds."""

    def decode(self, name: str, version: int, data: dict[str, Any]) -> Any:
        raise UnknownEventType(name, version)


async def test_what_was_recorded_is_sent_as_it_was_encoded_then(house: House, brokers: Brokers, topic: str) -> None:
    """So an event that passed its check can be sent, whatever is deployed between."""
    await house.store.handle_batch([add("one", "a"), add("one", "b")], context())
    running = Relay(
        name="relay",
        holder="one",
        connect=house.connect,
        publisher=house.publisher,
        codec=Unreadable({}),
        producers=lambda: Producer(brokers, "one"),
        topics=[topic],
        tails=tails_of(brokers),
    )
    task = asyncio.create_task(running.run())
    try:
        await eventually(lambda: everything_acknowledged(house))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert_unbroken_runs(await read_all(brokers, topic), await stored_order(house))


async def test_events_of_a_server_that_stored_no_public_values_are_sent_too(
    house: House, brokers: Brokers, topic: str
) -> None:
    await house.store.handle_batch([add("one", "a"), add("one", "audit"), add("one", "b")], context())
    values = await house.rows("SELECT public_value FROM events WHERE public_value IS NOT NULL ORDER BY position")
    await house.rows("UPDATE events SET public_value = NULL RETURNING 1")
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    records = await read_all(brokers, topic)
    assert [(record.value,) for record in records] == values
    assert_unbroken_runs(records, await stored_order(house))


class StoppedOnce(psycopg.AsyncConnection[Any]):
    """Stands still in its first transaction until the database has ended it."""

    stops = 0

    @contextlib.asynccontextmanager
    async def transaction(self, *_: Any) -> AsyncIterator[Any]:
        async with super().transaction() as transaction:
            if not StoppedOnce.stops:
                StoppedOnce.stops += 1
                await self.execute("SELECT 1")
                await asyncio.to_thread(self._wait_for_the_end)
            yield transaction

    def _wait_for_the_end(self) -> None:
        """An idle connection has nothing to read but what the database says when it ends the session."""
        ended, _, _ = select.select([self], [], [], 3 * relay.IDLE_IN_TRANSACTION_MS / 1000)
        assert ended, "the transaction may stand idle for as long as it likes"


async def _filled_generation(house: House, brokers: Brokers, topic: str) -> str:
    """A generation to which the next leader switches, in a transaction."""
    async with await house.connect() as conn:
        made = await generations.begin(conn, topic, PARTITIONS, PARTITIONS, predecessor_lost=False)
        await prepare_topics(brokers, [made.name], partitions=PARTITIONS)
        await generations.mark_filled(conn, made)
    return made.name


async def _is_current(house: House, name: str) -> bool:
    async with await house.connect() as conn:
        return name in [one.name for one in await generations.load(conn) if one.state == "current"]


async def test_a_leader_that_was_stopped_in_its_transaction_leads_again(
    house: House, brokers: Brokers, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "IDLE_IN_TRANSACTION_MS", 100)
    monkeypatch.setattr(StoppedOnce, "stops", 0)
    running = Relay(
        name="relay",
        holder="one",
        connect=lambda: StoppedOnce.connect(house.url, autocommit=True),
        codec=CODEC,
        producers=lambda: Producer(brokers, "one"),
        publisher=house.publisher,
        topics=[topic],
        tails=tails_of(brokers),
    )
    await house.store.handle(add("one", "a"), context())
    next_topic = await _filled_generation(house, brokers, topic)
    task = asyncio.create_task(running.run())
    try:
        await eventually(lambda: _is_current(house, next_topic))
        await eventually(lambda: everything_acknowledged(house))
        assert StoppedOnce.stops == 1 and not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_only_one_relay_leads_and_its_successor_takes_over_at_once(
    house: House, brokers: Brokers, topic: str
) -> None:
    async with relaying(house, brokers, "one"):
        await house.store.handle(add("one", "a"), context())
        await eventually(lambda: everything_acknowledged(house))
        async with relaying(house, brokers, "two"):
            await house.store.handle(add("one", "b"), context())
            await eventually(lambda: everything_acknowledged(house))
            assert (await house.rows("SELECT holder, epoch FROM lease"))[0] == ("one", 1)
    async with relaying(house, brokers, "three"):
        await house.store.handle(add("one", "c"), context())
        await eventually(lambda: everything_acknowledged(house))
        assert (await house.rows("SELECT holder FROM lease"))[0] == ("three",)


async def test_a_holder_of_an_old_epoch_can_neither_sequence_nor_move_the_cursor(house: House) -> None:
    conn = await house.connect()
    async with conn:
        old = await lease.acquire(conn, "relay", "old", lease_s=0.0)
        assert old is not None
        new = await lease.acquire(conn, "relay", "new")
        assert new is not None and new.epoch == old.epoch + 1
        assert await lease.acquire(conn, "relay", "third") is None
        with pytest.raises(LeaseLost):
            await lease.hold(conn, old)
        with pytest.raises(LeaseLost):
            await lease.move_cursor(conn, old, 10)
        await lease.release(conn, old)
        await lease.hold(conn, new)


async def test_a_token_resolves_once_its_event_is_sequenced(house: House, brokers: Brokers, topic: str) -> None:
    handled = await house.store.handle(add("one", "a"), context())
    one, everything = Token("library", handled.position or 0), Token("library", handled.position or 0, covers_all=True)

    async def resolved(token: Token) -> Any:
        async with house.pool.connection() as conn:
            return await consistency.resolve(conn, house.store, house.publisher, "relay", token)

    assert await resolved(one) is None and await resolved(everything) is None
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    targets = await resolved(one)
    assert len(targets) == 1 and targets[0].topic == topic and targets[0].seq == 1
    assert await resolved(everything) == targets
    assert Token.decode(one.encode()) == one


async def test_a_token_that_covers_all_waits_for_what_was_committed_late_too(house: House) -> None:
    handled = await house.store.handle_batch([add("one", "late"), add("two", "early")], context())
    late, early = await positions(house)
    everything = Token("library", handled.position or 0, covers_all=True)
    async with house.pool.connection() as conn:
        held = await lease.acquire(conn, "relay", "one")
        assert held

        async def resolved() -> Any:
            return await consistency.resolve(conn, house.store, house.publisher, "relay", everything)

        await conn.execute("DELETE FROM unsequenced WHERE position = %s", [early])
        await conn.execute("INSERT INTO sequence_run VALUES (1, %s, 1)", [early])
        await lease.move_cursor(conn, held, 1, [("topic", 0, 1)])
        assert await resolved() is None, "not sequenced"
        await conn.execute("DELETE FROM unsequenced")
        await conn.execute("INSERT INTO sequence_run VALUES (2, %s, 1)", [late])
        assert await resolved() is None, "sequenced, and not acknowledged"
        await lease.move_cursor(conn, held, 2, [("topic", 0, 2)])
        assert await resolved() == (Target("topic", 0, 2),)


async def positions(house: House) -> list[object]:
    return [row[0] for row in await house.rows("SELECT position FROM events ORDER BY position")]


@pytest.mark.parametrize("position", [0, -1, 2**63, 10**30])
def test_a_token_of_no_possible_position_is_refused(position: int) -> None:
    with pytest.raises(InvalidInput):
        Token.decode(Token("library", position).encode())


class Unknowing:
    """A producer that asks for a topic in vain."""

    async def partitions_for(self, _: str) -> set[int]:
        raise UnknownTopicOrPartitionError


async def test_a_missing_topic_ends_the_term_with_the_way_out() -> None:
    session: Any = Unknowing()
    with pytest.raises(TopicMisconfigured, match=r"topic gone: does not exist; run `prepare`"):
        await term._partitions_of(session, "gone")
    assert issubclass(TopicMisconfigured, relay.RESTARTING), "and the relay looks again"


class Hearing:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: dict[int, Target | None] = {}
        self.forgotten = 0

    def tell(self, targets: Mapping[int, Target | None]) -> None:
        self.told |= targets

    def forget(self) -> None:
        self.forgotten += 1


async def test_a_listener_is_told_where_each_event_goes_and_when_the_term_is_over(
    house: House, brokers: Brokers, topic: str
) -> None:
    books = [add("one", "a"), add("one", "audit"), add("two", "b")]
    hearing = Hearing()
    async with relaying(house, brokers) as running:
        running.listen(hearing)
        await house.store.handle_batch(books, context())
        await eventually(lambda: everything_acknowledged(house))
        assert hearing.forgotten == 0
    places = {row[0]: row[1] for row in await house.rows("SELECT position, type FROM events")}
    assert set(hearing.told) == set(places)
    for position, target in hearing.told.items():
        async with house.pool.connection() as conn:
            token = Token("library", position)
            resolved = await consistency.resolve(conn, house.store, house.publisher, "relay", token)
        assert resolved == ((target,) if target else ()), "as the store says"
    assert [target is None for _, target in sorted(hearing.told.items())] == [False, True, False]
    assert hearing.forgotten == 1


@pytest.mark.parametrize("text", ["", "nonsense", "bGlicmFyeTox", "\u4e66"])
def test_a_token_from_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Token.decode(text)
    assert refusal.value.field == "x-lyceum-after"


async def test_a_relay_that_is_stopped_in_the_moment_in_which_it_is_woken_stops(house: House, brokers: Brokers) -> None:
    async with relaying(house, brokers) as running:
        await eventually(lambda: everything_acknowledged(house))
        waiting = asyncio.create_task(running.wait_for_work(60.0))
        await asyncio.sleep(0.05)
        running.wake()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
