"""Commands to a hot stream: those that wait in this process are decided together, under one lock and in one commit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from eventfold.errors import Contention

TOGETHER = 100
"""Commands that are decided in one transaction."""
MAX_WAITING = 5000
"""Commands that wait for one stream; more are refused."""

Command = TypeVar("Command")
Result = TypeVar("Result")
Decide = Callable[[Sequence[Command]], Awaitable[Sequence[Result | Exception]]]
"""The result of each command, in order, or what its caller shall see raised."""


class HotQueue(Generic[Command, Result]):
    """Gives `decide` what has come in for a stream while the commands before were decided, in order of arrival."""

    def __init__(self, decide: Decide[Command, Result]) -> None:
        self._decide = decide
        self._queues: dict[str, deque[tuple[Command, asyncio.Future[Result]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, stream: str, command: Command) -> Result:
        """The command's own result. A caller that is cancelled while it waits has asked nothing; once its command is
        being decided it takes effect. Raises what `decide` says, and `Contention` at `MAX_WAITING`."""
        if stream not in self._queues:
            self._queues[stream] = deque()
            task = asyncio.create_task(self._drain(stream))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if len(self._queues[stream]) >= MAX_WAITING:
            raise Contention((stream,), 0)
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queues[stream].append((command, done))
        return await done

    async def _drain(self, stream: str) -> None:
        queue = self._queues[stream]
        try:
            while queue:
                taken = [queue.popleft() for _ in range(min(TOGETHER, len(queue)))]
                if waiting := [one for one in taken if not one[1].done()]:
                    await self._answer(waiting)
        finally:
            del self._queues[stream]

    async def _answer(self, waiting: Sequence[tuple[Command, asyncio.Future[Result]]]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = await self._decide([command for command, _ in waiting])
        except Exception as failure:  # noqa: BLE001 - it is raised where the commands came from
            results = [failure] * len(waiting)
        for (_, done), result in zip(waiting, results, strict=True):
            if done.done():
                continue
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)
