"""The proxy of the faults, before a server that answers each line with its own: what it does to what is under way."""

from __future__ import annotations

import asyncio
import contextlib
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.faults.proxy import Proxy

WAIT_S, DELAY_S = 10.0, 0.1


@dataclass
class Way:
    """A client's end of a connection through the proxy; what has arrived behind it, an empty line for its end."""

    proxy: Proxy
    port: int
    reader: StreamReader
    writer: StreamWriter
    arrived: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)

    async def echo(self, reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            async for line in reader:
                self.arrived.put_nowait(line)
                writer.write(line)
            self.arrived.put_nowait(b"")
        writer.close()

    async def reopen(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def answer(self, line: bytes) -> bytes:
        self.writer.write(line)
        return await asyncio.wait_for(self.reader.readline(), WAIT_S)

    async def arrival(self) -> bytes:
        return await asyncio.wait_for(self.arrived.get(), WAIT_S)


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    made: Way

    async def echo(reader: StreamReader, writer: StreamWriter) -> None:
        await made.echo(reader, writer)

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        proxy = Proxy(server.sockets[0].getsockname()[1])
        async with await asyncio.start_server(proxy.accept, "127.0.0.1", 0) as front:
            port = front.sockets[0].getsockname()[1]
            made = Way(proxy, port, *await asyncio.open_connection("127.0.0.1", port))
            assert await made.answer(b"before\n") == await made.arrival() == b"before\n"
            yield made
            made.writer.close()
            proxy.obey("reset")


async def test_given_a_connection_when_it_is_reset_then_its_client_is_told_and_a_new_one_works(way: Way) -> None:
    way.proxy.obey("reset")
    with pytest.raises(ConnectionResetError):
        await way.answer(b"lost\n")
    await way.reopen()
    assert await way.answer(b"after\n") == b"after\n"


async def test_given_a_delay_when_something_is_asked_then_it_is_late_each_way_and_in_order(way: Way) -> None:
    way.proxy.obey("delay", str(DELAY_S))
    started = time.monotonic()
    way.writer.write(b"first\n")
    assert await way.answer(b"second\n") == b"first\n"
    assert time.monotonic() - started >= 2 * DELAY_S
    assert await asyncio.wait_for(way.reader.readline(), WAIT_S) == b"second\n"


async def test_given_swallowed_answers_when_something_is_asked_then_it_arrives_and_the_answer_never_does(
    way: Way,
) -> None:
    way.proxy.obey("swallow", "answers")
    way.writer.write(b"unanswered\n")
    assert await way.arrival() == b"unanswered\n"

    way.proxy.obey("reset")

    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(way.reader.readline(), WAIT_S)
    await way.reopen()
    assert await way.answer(b"after\n") == b"after\n"


async def test_given_swallowed_requests_when_something_is_asked_then_it_never_arrives(way: Way) -> None:
    way.proxy.obey("swallow", "requests")
    way.writer.write(b"unheard\n")
    way.writer.write_eof()
    assert await way.arrival() == b""

    way.proxy.obey("reset")

    await way.reopen()
    assert await way.answer(b"after\n") == b"after\n"
