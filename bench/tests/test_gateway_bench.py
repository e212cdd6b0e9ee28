"""The load generator of the gateway's bench tells right answers from wrong ones, and its report says what was found."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import grpc
import pytest

from bench.gateway.__main__ import ROADS, report
from bench.gateway.bare import OneMethod
from bench.gateway.connections import GrpcConnection, JsonConnection, Tally, frame
from bench.gateway.loading import Found, measured, median

METHOD, ANSWER = "/bench.Echo/Tell", b"x" * 900
PACE = (0.05, 0.2)
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 5\r\n\r\nslow!"


@asynccontextmanager
async def bare_server() -> AsyncIterator[tuple[str, int]]:
    server = grpc.aio.server(handlers=[OneMethod(METHOD, ANSWER)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield "127.0.0.1", port
    finally:
        await server.stop(0)


@asynccontextmanager
async def web_server(answer: bytes, piece_bytes: int = 1000) -> AsyncIterator[tuple[str, int]]:
    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            for start in range(0, len(answer), piece_bytes):
                writer.write(answer[start : start + piece_bytes])
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(told, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()


async def over_grpc(method: str, answer_bytes: int, connections: int = 3) -> Found:
    async with bare_server() as address:
        opening = partial(_grpc, method, answer_bytes)
        return await measured(opening, address, connections, {"server": os.getpid()}, PACE)


def _grpc(method: str, answer_bytes: int, tally: Tally) -> GrpcConnection:
    return GrpcConnection(tally, "localhost", method, b"question", answer_bytes)


async def over_json(answer: bytes, piece_bytes: int = 1000) -> Found:
    async with web_server(answer, piece_bytes) as address:
        opening = partial(_json, 5)
        return await measured(opening, address[:2], 2, {"server": os.getpid()}, PACE)


def _json(body_bytes: int, tally: Tally) -> JsonConnection:
    return JsonConnection(tally, "localhost", "/hello", body_bytes)


def test_right_answers_of_a_real_grpc_server_are_counted() -> None:
    found = asyncio.run(over_grpc(METHOD, len(ANSWER)))

    assert found.answers_per_s > 10
    assert (found.failed, found.p50_ms > 0, found.p99_ms >= found.p50_ms) == (0, True, True)


@pytest.mark.parametrize(("method", "answer_bytes"), [("/bench.Echo/Other", len(ANSWER)), (METHOD, len(ANSWER) + 1)])
def test_an_error_and_an_answer_of_another_length_are_failures(method: str, answer_bytes: int) -> None:
    found = asyncio.run(over_grpc(method, answer_bytes))

    assert (found.answers_per_s, found.failed > 0) == (0, True)


@pytest.mark.parametrize("piece_bytes", [1000, 7])
def test_json_answers_are_counted_in_whatever_pieces_they_come(piece_bytes: int) -> None:
    found = asyncio.run(over_json(GOOD, piece_bytes))

    assert (found.answers_per_s > 10, found.failed) == (True, 0)


@pytest.mark.parametrize("answer", [REFUSED, GOOD.replace(b"5", b"4")[:-1]])
def test_a_refusal_and_a_short_body_are_failures(answer: bytes) -> None:
    found = asyncio.run(over_json(answer))

    assert (found.answers_per_s, found.failed > 0) == (0, True)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"])
def test_an_answer_that_cannot_be_judged_ends_the_measurement(answer: bytes) -> None:
    with pytest.raises((ConnectionError, ValueError)):
        asyncio.run(over_json(answer))


def test_only_answers_within_the_measured_time_count() -> None:
    now = time.perf_counter()
    tally = Tally(begins=now, ends=now + 1)

    again = [
        tally.add(now + asked, now + asked + 0.1, right) for asked, right in ((-0.1, True), (0.5, False), (0.6, True))
    ]
    last = tally.add(now + 0.95, now + 1.05, True)

    assert (again, last) == ([True, True, True], False)
    assert (len(tally.took_s), tally.failed) == (1, 1)


def test_a_frame_has_length_kind_flags_and_stream() -> None:
    assert frame(0, 1, 3, b"abc") == b"\0\0\x03\0\x01\0\0\0\x03abc"


def found_at(rate: float) -> Found:
    cores = {"server": 0.5, "gateway": 0.4, "generator": 0.1, "others": 0.2}
    return Found(answers_per_s=rate, p50_ms=1.0, p99_ms=2.0, failed=1, cores=cores)


def test_medians_of_figures_and_the_sum_of_failures() -> None:
    one = median([found_at(10.0), found_at(30.0), found_at(20.0)])

    assert (one.answers_per_s, one.failed, one.cores["server"]) == (20.0, 3, 0.5)


def test_the_report_has_every_road_and_what_each_step_leaves() -> None:
    rates: Callable[[str], float] = {"gateway": 10.0, "direct": 20.0, "gateway-bare": 30.0, "bare": 40.0}.__getitem__

    section = report({(road, 16): found_at(rates(road)) for road in ROADS}, [16], [])

    assert [row[0] for row in section.rows] == list(ROADS.values())
    assert {len(row) for row in section.rows} == {len(section.head)}
    assert [ratio.found for ratio in section.ratios] == [0.5, 0.5, 0.75]
