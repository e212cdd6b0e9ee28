"""A proxy between the processes under test and PostgreSQL or Kafka: `python -m tests.faults.proxy PORT TARGET_PORT`.

Lines on its input control it. `reset` ends every connection with RST in mid-work. `delay S` delays all bytes by S
seconds each way; `delay 0` ends that. `swallow requests` or `swallow answers` passes nothing on in that direction until
the next `reset`, because a connection with missing bytes must not go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from typing import Literal

CHUNK_BYTES = 65_536

Direction = Literal["requests", "answers"]


class Proxy:
    """Forwards bytes in order."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._delay_s = 0.0
        self._swallowed = ""
        self._writers: set[asyncio.StreamWriter] = set()

    def obey(self, order: str, value: str = "") -> None:
        """Carry out one line of the input, split into words."""
        if order == "reset":
            self._reset()
        elif order == "delay":
            self._delay_s = float(value)
        elif order == "swallow":
            self._swallowed = value

    def _reset(self) -> None:
        self._swallowed = ""
        for writer in list(self._writers):
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, there[1]}
        await asyncio.gather(self._pump("requests", reader, there[1]), self._pump("answers", there[0], writer))
        self._writers -= {writer, there[1]}

    async def _pump(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                if self._swallowed != direction:
                    writer.write(data)
                    await writer.drain()
        writer.close()


async def main(port: str, target_port: str) -> None:
    proxy = Proxy(int(target_port))
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", int(port))
    while line := (await asyncio.to_thread(sys.stdin.readline)).split():
        proxy.obey(*line)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
