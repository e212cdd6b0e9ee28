"""The load: `python -m tests.faults.client PORT RECORD RATE`. Lines on its input control it; it records its commands.

`load ID` starts appending to shelves of that id. `drain` stops new commands and repeats unanswered ones until all are
acknowledged. Each shelf has its own connection and one command in flight, so that the order of a shelf's commands is
known. A command without an answer is repeated under the same key.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any, TextIO

SHELVES = 8
ANSWER_WAIT_S = 8.0
RETRY_PAUSE_S = 0.05


class Client:
    """Numbers its commands. `record` gets a line when a command is first sent and when it is acknowledged."""

    def __init__(self, port: int, record: TextIO, rate_per_s: float) -> None:
        self._port = port
        self._record = record
        self._pause_s = SHELVES / rate_per_s
        self._numbers = 0
        self._loading = ""
        self._busy = 0

    def start(self, load: str) -> None:
        self._loading = load

    async def drain(self) -> None:
        self._loading = ""
        while self._busy:  # noqa: ASYNC110 - eight coroutines end one by one
            await asyncio.sleep(RETRY_PAUSE_S)
        self._write({"drained": True})

    async def keep(self, shelf: int) -> None:
        """Send one shelf's commands, one after another, at the given rate."""
        await asyncio.sleep(self._pause_s * shelf / SHELVES)
        connection: Any = None
        due = time.monotonic()
        while True:
            due = max(due + self._pause_s, time.monotonic() - self._pause_s)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self._loading:
                self._busy += 1
                connection = await self._append(f"{self._loading}.{shelf}", connection)
                self._busy -= 1

    async def _append(self, shelf: str, connection: Any) -> Any:
        self._numbers += 1
        number = self._numbers
        self._write({"sent": number, "shelf": shelf, "at": time.time()})
        asked = json.dumps({"key": f"{shelf}/{number}", "shelf": shelf, "title": f"{number}"}).encode() + b"\n"
        while True:
            try:
                connection = connection or await asyncio.open_connection("127.0.0.1", self._port)
                await _ask(connection, asked)
                self._write({"acknowledged": number, "at": time.time()})
                return connection
            except (OSError, TimeoutError, EOFError):
                if connection:
                    connection[1].close()
                connection = None
                await asyncio.sleep(RETRY_PAUSE_S)

    def _write(self, line: dict[str, Any]) -> None:
        self._record.write(json.dumps(line) + "\n")
        self._record.flush()


async def _ask(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], asked: bytes) -> None:
    reader, writer = connection
    writer.write(asked)
    answer = await asyncio.wait_for(reader.readline(), ANSWER_WAIT_S)
    if not answer or json.loads(answer)["key"] != json.loads(asked)["key"]:
        raise EOFError


async def main(port: str, record: str, rate_per_s: str) -> None:
    with Path(record).open("a") as file:  # noqa: ASYNC230 - a line at a time, to a local disk
        client = Client(int(port), file, float(rate_per_s))
        keeping = [asyncio.create_task(client.keep(shelf)) for shelf in range(SHELVES)]
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            if line[0] == "load":
                client.start(line[1])
            else:
                await client.drain()
        for task in keeping:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
