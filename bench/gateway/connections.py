"""Connections that ask the same question again and again, each waiting for the answer: HTTP/1.1, and gRPC by HTTP/2.

They read no more of an answer than tells a right one from a wrong one, so that the generator costs as little as it can
and leaves the processors to what is measured. The gRPC one speaks just the part of HTTP/2 that a client of one stream
at a time needs, and never decodes headers: an answer is right if it has the expected bytes, and an error has none.
"""

from __future__ import annotations

import asyncio
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
FRAME_HEADER_BYTES = 9
WIDEST_WINDOW = 2**31 - 1
USUAL_WINDOW = 65_535
SHORT_STRING = 127
"""Longer strings need more than one byte for their length in HPACK, and no name here is so long."""


@dataclass
class Tally:
    """What all connections found between `begins` and `ends`, by time.perf_counter()."""

    begins: float
    ends: float
    took_s: list[float] = field(default_factory=list)
    failed: int = 0

    def add(self, asked: float, answered: float, right: bool) -> bool:
        """Count an answer if its question was asked in time; whether to ask again."""
        if asked >= self.begins and answered <= self.ends:
            if right:
                self.took_s.append(answered - asked)
            else:
                self.failed += 1
        return answered < self.ends


class Connection(asyncio.Protocol, ABC):
    """Asks as soon as it is connected and after each answer, until the tally ends. `done` is then set, or has the
    reason why the connection was lost."""

    def __init__(self, tally: Tally) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tally = tally
        self._asked = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self.opened()
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def opened(self) -> None:
        """What a client says first."""

    @abstractmethod
    def request(self) -> bytes:
        """The bytes of the next question."""

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self.request())

    def answered(self, right: bool) -> None:
        """An answer is complete."""
        if self._tally.add(self._asked, time.perf_counter(), right):
            self._ask()
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()


class JsonConnection(Connection):
    """GET by HTTP/1.1. An answer is right if its status is 200 and its body has the expected length."""

    def __init__(self, tally: Tally, host: str, path: str, body_bytes: int) -> None:
        super().__init__(tally)
        self._request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\r\n".encode()
        self._body_bytes = body_bytes
        self._read = b""

    def request(self) -> bytes:
        return self._request

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if end and len(body) >= _content_length(head):
            self._read = b""
            self.answered(head.startswith(b"HTTP/1.1 200 ") and len(body) == self._body_bytes)


def _content_length(head: bytes) -> int:
    """The length that an answer says; raises ValueError if it does not."""
    _, name, rest = head.lower().partition(b"\r\ncontent-length:")
    if not name:
        raise ValueError(f"an answer without a length: {head[:300]!r}")
    return int(rest.partition(b"\r\n")[0])


class GrpcConnection(Connection):
    """A unary call without metadata by HTTP/2. An answer is right if it has as many bytes as expected."""

    def __init__(self, tally: Tally, host: str, method: str, message: bytes, answer_bytes: int) -> None:
        super().__init__(tally)
        self._headers = _headers(host, method)
        self._message = b"\0" + struct.pack(">I", len(message)) + message
        self._answer_bytes = answer_bytes + 5
        self._stream, self._got, self._unacknowledged = -1, 0, 0
        self._read = bytearray()

    def opened(self) -> None:
        widest = struct.pack(">HI", 4, WIDEST_WINDOW)
        self._transport.write(PREFACE + frame(SETTINGS, 0, 0, widest) + self._more(WIDEST_WINDOW - USUAL_WINDOW))

    def request(self) -> bytes:
        self._stream += 2
        self._got = 0
        head = frame(HEADERS, END_HEADERS, self._stream, self._headers)
        return head + frame(DATA, END_STREAM, self._stream, self._message)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while len(self._read) >= FRAME_HEADER_BYTES:
            end = FRAME_HEADER_BYTES + int.from_bytes(self._read[:3], "big")
            if len(self._read) < end:
                return
            kind, flags, payload = self._read[3], self._read[4], bytes(self._read[FRAME_HEADER_BYTES:end])
            del self._read[:end]
            self._take(kind, flags, payload)

    def _take(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == DATA:
            self._got += len(payload)
            self._replenish(len(payload))
        if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM):
            self.answered(self._got == self._answer_bytes)
        acting: dict[int, Callable[[], None]] = {
            SETTINGS: lambda: self._acknowledge(kind, flags, b""),
            PING: lambda: self._acknowledge(kind, flags, payload),
            GOAWAY: self._transport.close,
        }
        if kind in acting:
            acting[kind]()

    def _acknowledge(self, kind: int, flags: int, payload: bytes) -> None:
        if not flags & ACK:
            self._transport.write(frame(kind, ACK, 0, payload))

    def _replenish(self, count: int) -> None:
        """Let the server send again what it has sent, half a window at a time."""
        self._unacknowledged += count
        if self._unacknowledged > WIDEST_WINDOW // 2:
            self._transport.write(self._more(self._unacknowledged))
            self._unacknowledged = 0

    @staticmethod
    def _more(count: int) -> bytes:
        return frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", count))


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2."""
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def _headers(host: str, method: str) -> bytes:
    """HPACK without its table: what is sent once is as good the next time."""
    post, http = b"\x83", b"\x86"
    path, authority = b"\x04" + _string(method), b"\x01" + _string(host)
    content_type, te = b"\x0f\x10" + _string("application/grpc"), b"\0" + _string("te") + _string("trailers")
    return post + http + path + authority + content_type + te


def _string(text: str) -> bytes:
    if len(text) >= SHORT_STRING:
        raise ValueError(f"{text} is too long")
    return bytes([len(text)]) + text.encode("ascii")
