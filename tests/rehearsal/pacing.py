"""Requests at a fixed rate: they start when they are due, whether earlier ones are answered or not, so a standstill is
seen as what it is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import aiohttp
import orjson

AT_ONCE = 5_000
"""Requests that may wait for an answer; with more the load ends, and says so."""
Parameters = Mapping[str, str]
Got = tuple[int, bytes]
Send = Callable[[str, str, Parameters, object, Parameters], Awaitable[Got]]
"""Verb, path, query, JSON body and headers of a request; status and body of its answer."""
FAILURES = (aiohttp.ClientError, TimeoutError)
Act = Callable[[int], Awaitable[None]]
"""A request, or several that belong together; its number is unlike that of others."""


@dataclass
class Asked:
    """What was asked, what failed, and how long each took."""

    asked: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Paced(ABC):
    """Acts of several kinds, mixed by `weights`, at `rate` acts a second."""

    weights: ClassVar[Mapping[str, int]]

    def __init__(self, send: Send, rate: float, seed: int, told: Asked) -> None:
        self._send = send
        self._pause_s = 1.0 / rate
        self._rng = random.Random(seed)
        self._told = told

    @abstractmethod
    def acts(self) -> Mapping[str, Act]:
        """What each kind does."""

    def pace(self, rate: float) -> None:
        """Another rate from the next `run` on."""
        self._pause_s = 1.0 / rate

    async def run(self, done: asyncio.Event) -> None:
        """Until it is done, and everything is answered."""
        waiting: set[asyncio.Task[None]] = set()
        acts, due = self.acts(), time.monotonic()
        for number in itertools.count():
            if done.is_set():
                break
            kind = self._rng.choices([*self.weights], [*self.weights.values()])[0]
            task = asyncio.create_task(self._measured(kind, acts[kind], number))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            if len(waiting) > AT_ONCE:
                self._told.failed.append(f"more than {AT_ONCE} requests wait for an answer")
                break
            due += self._pause_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*waiting)

    async def _measured(self, kind: str, act: Act, number: int) -> None:
        began = time.monotonic()
        self._told.asked[kind] += 1
        try:
            await act(number)
        except (*FAILURES, Refused) as failure:
            self._told.failed.append(f"{kind} after {time.monotonic() - began:.2f} s: {failure!r}"[:300])
        self._told.seconds.append(time.monotonic() - began)

    async def get(self, token: str, path: str, **parameters: str) -> dict[str, Any]:
        """The answer. Raises `Refused`."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return _taken(await self._send("GET", path, parameters, None, headers))

    async def post(self, token: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, under an idempotency key of its own. Raises `Refused`."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return _taken(await self._send("POST", path, {}, body, headers | {"idempotency-key": uuid.uuid4().hex}))


def _taken(answer: Got) -> dict[str, Any]:
    status, said = answer
    if status != 200:
        raise Refused(status, said)
    found: dict[str, Any] = orjson.loads(said or b"{}")
    return found


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, said: bytes) -> None:
        super().__init__(f"{status} {said[:160].decode(errors='replace')}")
        self.status = status


def by_aiohttp(session: aiohttp.ClientSession, *gateways: str) -> Send:
    """Requests to the first of these gateways that takes the connection, or to the session's own address. aiohttp takes
    a fifth of the processor time that httpx does: the load shares the machine with what it asks."""

    async def send(verb: str, path: str, query: Parameters, body: object, headers: Parameters) -> Got:
        *others, last = gateways or ("",)
        for gateway in others:
            with contextlib.suppress(aiohttp.ClientConnectorError):
                return await _sent(session, verb, gateway + path, query, body, headers)
        return await _sent(session, verb, last + path, query, body, headers)

    return send


async def _sent(
    session: aiohttp.ClientSession, verb: str, url: str, query: Parameters, body: object, headers: Parameters
) -> Got:
    async with session.request(verb, url, params=query, json=body, headers=headers) as answer:
        return answer.status, await answer.read()
