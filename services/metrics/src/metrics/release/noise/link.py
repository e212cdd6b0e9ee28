"""One spawned noise process and the connection to it. When either ends, so does the link; another takes its place."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import socket
from collections.abc import Sequence
from multiprocessing.context import SpawnProcess
from typing import Final

from metrics.release.noise.frames import MAX_FRAME_BYTES, Noisy, Numbers, read_answer, request
from metrics.release.noise.serving import serve

START_S: Final = 20.0
"""How long a new process may take until it is ready: half a second on a quiet machine."""
STOP_S: Final = 1.0
"""How long it may take to end by itself once its connection is closed."""
_SPAWN: Final = multiprocessing.get_context("spawn")


class NoiseDied(Exception):
    """The process or its connection ended. Nothing that it drew for the request was seen by anybody."""


class NoiseRefused(ValueError):
    """The process will not draw such numbers."""


class Link:
    """Made by `Link.open`. Requests may be many at once; answers come in their order."""

    def __init__(self, process: SpawnProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[list[Noisy]]] = {}
        self.pid = 0
        self.ended = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls) -> Link:
        """A link to a new process that is ready. Raises `NoiseDied`."""
        ours, theirs = socket.socketpair()
        process = _SPAWN.Process(target=serve, args=(theirs,), name="noise", daemon=True)
        try:
            await asyncio.to_thread(process.start)
            reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_FRAME_BYTES)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        link = cls(process, reader, writer)
        try:
            await link._begin()
        except BaseException:
            await link.close()
            raise
        return link

    async def _begin(self) -> None:
        try:
            async with asyncio.timeout(START_S):
                self.pid = int(await self._reader.readuntil())
        except (TimeoutError, asyncio.IncompleteReadError, OSError, ValueError) as failure:
            raise NoiseDied("it did not become ready") from failure
        self._reading = asyncio.create_task(self._read(), name="noise answers")

    async def ask(self, asked: Sequence[Numbers]) -> list[Noisy]:
        """The numbers with noise. Raises `NoiseDied` and `NoiseRefused`. If its caller is cancelled, what is drawn is
        thrown away."""
        if self.ended.is_set():
            raise NoiseDied("it has ended")
        number = next(self._numbers)
        self._waiting[number] = answered = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(request(number, asked))
            await self._writer.drain()
            drawn: list[Noisy] = await answered
            return drawn
        except OSError as failure:
            del self._waiting[number]
            self._end()
            raise NoiseDied("its connection ended") from failure
        finally:
            self._waiting.pop(number, None)

    async def _read(self) -> None:
        try:
            while True:
                self._tell(await self._reader.readuntil())
        except (asyncio.IncompleteReadError, OSError):
            pass  # it has ended
        finally:
            self._end()

    def _tell(self, line: bytes) -> None:
        number, drawn, refusal = read_answer(line)
        answered = self._waiting.get(number)
        if answered is None or answered.done():
            return
        if drawn is None:
            answered.set_exception(NoiseRefused(refusal))
        else:
            answered.set_result(drawn)

    def _end(self) -> None:
        self.ended.set()
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(NoiseDied("it ended before it answered"))

    async def close(self) -> None:
        """End the process: by itself within `STOP_S`, else by force."""
        self._writer.close()
        self._end()
        if self._reading:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        await asyncio.to_thread(self._process.join, STOP_S)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join, STOP_S)
        self._process.close()
