"""Commands to a hot stream: those that wait in this process are decided together, under one lock and in one commit."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from eventfold.errors import Blocked, Contention, DeadlineExceeded

TOGETHER = 100
"""Number of commands that are decided in one transaction."""
MAX_WAITING = 5000
"""Number of commands that may wait for one stream; more are refused."""
BLOCKED_PAUSE_S = 0.05
"""Pause between two tries while another open transaction holds the stream."""

Asked = TypeVar("Asked")
Result = TypeVar("Result")
Decide = Callable[[Sequence[Asked]], Awaitable[Sequence[Result | Exception]]]
"""Returns the result of each command, in order, or the exception to raise to its caller."""


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Asked, Result]):
    """A command in a queue; `taken` while it is being decided."""

    command: Asked
    done: asyncio.Future[Result]
    taken: bool = False


class HotQueue(Generic[Asked, Result]):
    """Collects the commands of a stream that arrive while earlier ones are decided, and gives them to `decide` in order
    of arrival.

    If `decide` raises `Blocked`, all of them keep waiting, in their order, until it succeeds or their callers have
    gone.
    """

    def __init__(self, decide: Decide[Asked, Result]) -> None:
        self._decide = decide
        self._queues: dict[str, deque[_Waiting[Asked, Result]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, stream: str, command: Asked, give_up_at: float = math.inf) -> Result:
        """The command's own result. If its caller is cancelled while it waits, the command has no effect; once it is
        being decided, it takes effect. Raises the errors of `decide`. Raises `Contention` if `MAX_WAITING` commands
        wait, or if the command was not taken by `give_up_at` (monotonic clock, in seconds). Raises
        `DeadlineExceeded` if it was taken, but not finished by then."""
        if stream not in self._queues:
            self._queues[stream] = deque()
            # The first caller must not pass its context on to all that follow.
            task = asyncio.create_task(self._drain(stream), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if len(self._queues[stream]) >= MAX_WAITING:
            raise Contention((stream,), 0)
        waiting = _Waiting[Asked, Result](command, asyncio.get_running_loop().create_future())
        self._queues[stream].append(waiting)
        return await _in_time(stream, waiting, give_up_at)

    async def _drain(self, stream: str) -> None:
        queue = self._queues[stream]
        try:
            while queue:
                taken = [queue.popleft() for _ in range(min(TOGETHER, len(queue)))]
                if waiting := [one for one in taken if not one.done.done()]:
                    await self._answer_or_wait(queue, waiting)
        finally:
            del self._queues[stream]

    async def _answer_or_wait(
        self, queue: deque[_Waiting[Asked, Result]], waiting: Sequence[_Waiting[Asked, Result]]
    ) -> None:
        try:
            await self._answer(waiting)
        except Blocked:
            for one in waiting:
                one.taken = False
            queue.extendleft(reversed(waiting))
            await asyncio.sleep(BLOCKED_PAUSE_S)

    async def _answer(self, waiting: Sequence[_Waiting[Asked, Result]]) -> None:
        results: Sequence[Result | Exception]
        for one in waiting:
            one.taken = True
        try:
            results = await self._decide([one.command for one in waiting])
        except Blocked:
            raise
        except Exception as failure:  # noqa: BLE001 - it is raised where the commands came from
            results = [failure] * len(waiting)
        for one, result in zip(waiting, results, strict=True):
            if one.done.done():
                continue
            if isinstance(result, Exception):
                one.done.set_exception(result)
            else:
                one.done.set_result(result)


async def _in_time(stream: str, waiting: _Waiting[Asked, Result], give_up_at: float) -> Result:
    if give_up_at == math.inf:
        return await waiting.done
    try:
        async with asyncio.timeout(give_up_at - time.monotonic()) as limit:
            return await waiting.done
    except TimeoutError as timeout:
        if not limit.expired():
            raise
        raise DeadlineExceeded(stream) if waiting.taken else Contention((stream,), 0) from timeout
