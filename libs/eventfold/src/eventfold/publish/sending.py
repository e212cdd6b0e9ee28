"""How records are sent: unbroken runs, one batch in flight per partition, over connections that are never renewed.

A broker that lost power may have lost acknowledged records, and the only sign of it is an ended connection. So a
producer here uses no connection that was opened after it was `settled`, and sends no batch twice. Instead, its user
compares the topic with the store again, and begins with a new producer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import (
    BrokerResponseError,
    InvalidTimestampError,
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    for_code,
    kafka_errors,
)
from aiokafka.producer import sender
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.offset import OffsetRequest

from eventfold.errors import RefusedForGood
from eventfold.publish.brokers import Brokers
from eventfold.publish.connections import closed
from eventfold.publish.publisher import Record
from eventfold.vocabulary.public import TopicPartition

REQUEST_WITHIN_S = 10.0
SEND_WITHIN_S = 15.0
"""Longer than a producer waits for the answer to one batch. If no answer has come by then, the sender task has ended,
and none will come."""
METADATA_EVERY_S = 60.0
"""Also keeps connections alive: brokers close a connection that was idle for ten minutes."""


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]
    """Kafka's error code 87, which the client does not know."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker failed to validate the record."


kafka_errors[InvalidRecordError.errno] = InvalidRecordError

FOR_GOOD = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidTimestampError,
    PolicyViolationError,
    InvalidRecordError,
)
"""Broker errors for which the record is to blame, not the moment."""


READ_UNCOMMITTED, LATEST = 0, -1


class _Handler(sender.SendProduceReqHandler):  # type: ignore[misc]
    """Lets a failed batch fail without a retry: a retry may reach a broker that has lost the records before it."""

    def _can_retry(self, error: object, batch: object) -> bool:
        return False


class _Sender(sender.Sender):  # type: ignore[misc]
    """aiokafka's sender, with that handler."""

    async def _send_produce_req(self, node_id: int, batches: Any) -> None:
        await _Handler(self, batches).do(node_id)
        self._in_flight.remove(node_id)
        self._muted_partitions.difference_update(batches)


class Producer(AIOKafkaProducer):  # type: ignore[misc]
    """A producer that sends only over the connections that it has when it is settled.

    It is not idempotent in Kafka's sense: it sends nothing twice, and an idempotent producer could send nothing more
    after one refused batch.
    """

    def __init__(self, brokers: Brokers, client_id: str) -> None:
        super().__init__(
            **brokers.client(),
            client_id=client_id,
            acks="all",
            max_batch_size=1_000_000,
            max_request_size=1_048_576,
            request_timeout_ms=int(REQUEST_WITHIN_S * 1000),
            metadata_max_age_ms=int(METADATA_EVERY_S * 1000),
        )
        self._sender.__class__ = _Sender

    async def settle(self) -> None:
        """Connect to every broker. From here on, an ended connection is not replaced. Raises `KafkaError`."""
        client = self.client
        for broker in client.cluster.brokers():
            if await client._get_conn(broker.nodeId) is None:
                raise KafkaConnectionError(f"broker {broker.nodeId} cannot be reached")
        client._get_conn = self._connected

    async def _connected(self, node_id: Any, **named: Any) -> Any:
        conn = self.client._conns.get((node_id, named.get("group", sender.ConnectionGroup.DEFAULT)))
        return conn if conn is not None and conn.connected() else None

    async def ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The present ends of partitions, asked from their leaders over the connections that send records. Raises
        `KafkaError`."""
        by_leader: dict[Any, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for topic, partition in places:
            leader = self.client.cluster.leader_for_partition(KafkaPartition(topic, partition))
            by_leader[leader][topic].append((partition, LATEST))
        found: dict[TopicPartition, int] = {}
        for leader, topics in by_leader.items():
            answer = await self.client.send(leader, OffsetRequest(-1, READ_UNCOMMITTED, list(topics.items())))
            found |= {(topic, one[0]): _end(one) for topic, partitions in answer.topics for one in partitions}
        return found

    def check(self) -> None:
        """Raise `KafkaConnectionError` once a connection has ended: the broker may have lost records."""
        if not all(conn.connected() for conn in self.client._conns.values()):
            raise KafkaConnectionError("a broker closed its connection: what it holds is compared again")


def _end(answered: tuple[int, int, int, int]) -> int:
    _, code, _, end = answered
    if code:
        raise for_code(code)()
    return end


@contextlib.asynccontextmanager
async def started(session: Any) -> AsyncIterator[Any]:
    """The producer, started. It is stopped on leaving, within a bounded time."""
    try:
        await _start(session)
        yield session
    finally:
        await closed(session.stop)


async def _start(session: Any) -> None:
    try:
        async with asyncio.timeout(REQUEST_WITHIN_S):
            await session.start()
    except TimeoutError as late:
        raise KafkaTimeoutError(f"Kafka gave no answer within {REQUEST_WITHIN_S:.0f} s") from late


Acknowledged = Callable[[TopicPartition, int, int], None]
"""Called for each acknowledged batch with its partition, the offset of its first record, and its number of records."""


def _unheard(_: TopicPartition, __: int, ___: int) -> None:
    """Does nothing."""


async def send_runs(
    session: Any, runs: Mapping[TopicPartition, Sequence[Record]], acknowledged: Acknowledged = _unheard
) -> dict[TopicPartition, int]:
    """Send each partition's records in order and wait for all acknowledgements.

    Returns, for each partition, an offset above everything that it acknowledged before the last batch sent here. Raises
    `KafkaError`, and the errors of `acknowledged`, once no send is in progress any more. Then the producer must be
    dropped, and the run starts again at the end of the topic.
    """
    sending = [_send_run(session, place, run, acknowledged) for place, run in runs.items()]
    ends = await asyncio.gather(*sending, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return dict(zip(runs, ends, strict=True))  # type: ignore[arg-type] # what is raised is none of them


async def _send_run(session: Any, place: TopicPartition, run: Sequence[Record], acknowledged: Acknowledged) -> int:
    """Send one partition's records in order, each batch only after the one before is acknowledged."""
    sent = next_offset = 0
    at_most = len(run)
    while sent < len(run):
        builder = session.create_batch()
        _fill(builder, itertools.islice(run, sent, sent + at_most))
        count = builder.record_count()
        try:
            first = (await _acknowledged(session, builder, *place)).offset
        except FOR_GOOD as refusal:
            if count == 1:
                raise RefusedForGood(*place, seq_of(run[sent]), repr(refusal)) from refusal
            at_most = count // 2  # no record of the batch was accepted: halving it finds the record to blame
            continue
        acknowledged(place, first, count)
        sent, at_most = sent + count, max(at_most, len(run) if count < at_most else at_most)
        next_offset = max(next_offset, first + count)
    return next_offset


def seq_of(record: Record) -> int:
    """The record's number, from its headers."""
    return int(dict(record.headers)["ce_sequence"])


async def _acknowledged(session: Any, builder: BatchBuilder, topic: str, partition: int) -> Any:
    try:
        async with asyncio.timeout(SEND_WITHIN_S):
            return await (await session.send_batch(builder, topic, partition=partition))
    except TimeoutError as late:
        raise KafkaTimeoutError(f"{topic}[{partition}]: no answer within {SEND_WITHIN_S:.0f} s") from late


def _fill(builder: BatchBuilder, records: Iterable[Record]) -> None:
    """Add as many records as fit; the first always fits."""
    append = builder.append
    for _, key, value, headers, timestamp_ms in records:
        if append(timestamp=timestamp_ms, key=key, value=value, headers=headers) is None:
            return
