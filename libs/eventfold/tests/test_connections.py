"""Connections that end between a look and a write, on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from aiokafka.protocol.metadata import MetadataRequest
from relaying import eventually

from eventfold.fold.faust_transport import BatchConsumer
from eventfold.publish import sending
from eventfold.publish.brokers import Brokers
from eventfold.publish.connections import Connection, closed
from eventfold.publish.publisher import Record
from eventfold.publish.topics import prepare_topics

WAIT_S = 30.0
LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
TOPIC = "connections.ended"
HIGHEST = {MetadataRequest.API_KEY: (0, 5)}
"""Versions as a broker would say that it knows them."""


@LOOPS
def test_what_is_written_to_a_connection_that_was_reset_is_a_connection_error(new_loop: Callable[[], Any]) -> None:
    """In some turn of the loop the transport has ended, and the task that reads has not heard of it."""

    async def refused() -> None:
        closed: list[object] = []
        async with await asyncio.start_server(_reset, "127.0.0.1") as server:
            host, port = server.sockets[0].getsockname()
            one = Connection(host, port, on_close=lambda _, reason: closed.append(reason))
            one._versions = HIGHEST
            one._reader, one._writer = await asyncio.open_connection(host, port)
            one._read_task = asyncio.create_task(asyncio.Event().wait())

            async def ended() -> bool:
                return bool(one._writer.is_closing())

            await eventually(ended)
            assert one.connected(), "aiokafka has not heard of it"
            with pytest.raises(KafkaConnectionError):
                await one.send(MetadataRequest([]))
        assert closed == [CloseReason.CONNECTION_BROKEN]  # which has the client learn its metadata anew

    _run(new_loop, refused)


async def _reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@LOOPS
def test_every_client_has_such_connections_and_outlives_their_end(
    brokers: Brokers, new_loop: Callable[[], Any]
) -> None:
    async def outlived() -> None:
        await prepare_topics(brokers, [TOPIC], partitions=1)
        producer = AIOKafkaProducer(**brokers.client())
        await producer.start()
        try:
            async with asyncio.timeout(WAIT_S):
                await producer.send_and_wait(TOPIC, b"before")
                [*connections] = producer.client._conns.values()
                assert connections and all(isinstance(one, Connection) for one in connections)
                for one in connections:
                    one._writer.transport.abort()
                await producer.send_and_wait(TOPIC, b"after")
        finally:
            await producer.stop()

    _run(new_loop, outlived)


def _run(new_loop: Callable[[], Any], what: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(what())


async def test_a_batch_that_nobody_answers_is_an_error_and_no_wait_without_end(monkeypatch: Any) -> None:
    monkeypatch.setattr(sending, "SEND_WITHIN_S", 0.05)
    ended = _Ended()
    with pytest.raises(KafkaTimeoutError, match=r"topic\[0\]"):
        await sending.send_runs(ended, {("topic", 0): [Record("topic", b"k", b"v", [], 0)]})
    assert issubclass(KafkaTimeoutError, KafkaError)


class _Ended:
    """A producer whose sender has ended."""

    def create_batch(self) -> Any:
        return SimpleNamespace(append=lambda **_: object(), record_count=lambda: 1)

    async def send_batch(self, *_: Any, **__: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    ("metadata_ended", "group_ended", "stopping", "is_cut_off"),
    [
        (False, False, False, False),
        (True, False, False, True),
        (False, True, False, True),
        (True, True, True, False),
    ],
)
async def test_a_worker_whose_client_has_ended_is_cut_off_unless_it_stops(
    metadata_ended: bool, group_ended: bool, stopping: bool, is_cut_off: bool
) -> None:
    consumer: Any = SimpleNamespace(should_stop=stopping)
    client = SimpleNamespace(_client=SimpleNamespace(_sync_task=_task(metadata_ended)))
    client._coordinator = SimpleNamespace(_coordination_task=_task(group_ended))
    consumer._thread = SimpleNamespace(_consumer=client)
    assert BatchConsumer.cut_off(consumer) is is_cut_off


async def test_before_it_has_a_client_it_is_not_cut_off() -> None:
    consumer: Any = SimpleNamespace(should_stop=False, _thread=SimpleNamespace(_consumer=None))
    assert BatchConsumer.cut_off(consumer) is False


def _task(ended: bool) -> Any:
    return SimpleNamespace(done=lambda: ended)


async def test_who_is_cancelled_while_a_client_closes_ends() -> None:
    closing = asyncio.Event()

    async def swallowing() -> None:
        closing.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def user() -> None:
        await closed(swallowing)
        await asyncio.Event().wait()  # goes on as if nobody had asked it to end

    task = asyncio.create_task(user())
    await closing.wait()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done and task.cancelled()
