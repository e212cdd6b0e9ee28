"""Read-your-writes: a query waits until its service's projections have applied the events of its tokens."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice

from eventfold import Pool
from eventfold.errors import HistoryRewritten, InvalidInput
from eventfold.publish.outgoing import Target
from eventfold.reading import consistency
from eventfold.reading.consistency import Applied, Token
from servicekit.call import Call

WAIT_S = 2.0
MAX_TOKENS = 8
POLL_FIRST_S, POLL_MAX_S = 0.005, 0.020
LOOK_EVERY_S = 0.008
SOON_S = 0.050
TARGETS_REMEMBERED = 10_000

Resolve = Callable[[Token], Awaitable[tuple[Target, ...] | None]]
Pause = Callable[[Token, float], Awaitable[None]]


async def _sleep(_: Token, pause_s: float) -> None:
    await asyncio.sleep(pause_s)


class ReadGate:
    """Delays a query until `x-lyceum-after` is satisfied, for at most `WAIT_S`.

    `projections` maps this service's projections to the topics (with prefix) that they read. `resolvers` maps services
    to a function that finds the targets of a token; `pause` waits before it is called again.
    """

    def __init__(
        self,
        pool: Pool,
        projections: Mapping[str, Sequence[str]],
        resolvers: Mapping[str, Resolve],
        pause: Pause | None = None,
    ) -> None:
        self._watch = Watch(pool)
        self._pause = pause or _sleep
        self._projections = projections
        self._resolvers = resolvers

    async def wait(self, call: Call, reads: Sequence[str]) -> bool:
        """Wait for the call's tokens in the projections that it reads. If time runs out, tells the client by
        `x-lyceum-stale: true`. Returns whether the answer may be used as fresh. Raises `InvalidInput` for a foreign
        token."""
        header = call.metadata.get("x-lyceum-after")
        if not header:
            return True
        fresh = await self._satisfied(_tokens(header, call), {name: self._projections[name] for name in reads})
        call.headers.append(("x-lyceum-stale", "false" if fresh else "true"))
        return fresh

    async def _satisfied(self, tokens: Sequence[Token], projections: Mapping[str, Sequence[str]]) -> bool:
        give_up_at = time.monotonic() + WAIT_S
        targets: list[Target] = []
        for token in tokens:
            if token.service not in self._resolvers:
                raise InvalidInput("the token comes from an unknown service", field="x-lyceum-after")
            try:
                resolved = await self._resolved(token, give_up_at)
            except HistoryRewritten:
                return False  # an event that never happened will never be applied
            if resolved is None:
                return False
            targets.extend(resolved)
        return await self._reached(targets, projections, give_up_at)

    async def _resolved(self, token: Token, give_up_at: float) -> tuple[Target, ...] | None:
        """The targets of the token's events, asked for with growing pauses; None when the time is over."""
        pause_s = POLL_FIRST_S
        while (found := await self._resolvers[token.service](token)) is None:
            if time.monotonic() + pause_s > give_up_at:
                return None
            await self._pause(token, pause_s)
            pause_s = min(POLL_MAX_S, pause_s * 2)
        return found

    async def _reached(
        self, targets: Sequence[Target], projections: Mapping[str, Sequence[str]], give_up_at: float
    ) -> bool:
        while not consistency.reached(await self._watch.next(), projections, targets):
            if time.monotonic() > give_up_at:
                return False
        return True


class Sequenced:
    """Listens to a relay in the same process. Wakes callers that wait for an event to be sequenced, and remembers its
    target, so that most tokens are resolved without the database."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        self._targets: dict[int, tuple[Target, ...]] = {}
        self._highest: float = math.inf  # the highest told in this term; after it, another relay may lead

    def tell(self, targets: Mapping[int, Target | None]) -> None:
        """The events at these insert positions are sequenced."""
        told = max(targets, default=0)
        self._highest = told if self._highest == math.inf else max(self._highest, told)
        for position, target in targets.items():
            self._targets[position] = (target,) if target else ()
            for waiting in self._waiting.pop(position, ()):
                if not waiting.done():
                    waiting.set_result(None)
        for oldest in list(islice(self._targets, max(0, len(self._targets) - TARGETS_REMEMBERED))):
            del self._targets[oldest]

    def forget(self) -> None:
        """The relay's term is over."""
        self._targets.clear()
        self._highest = math.inf

    def where(self, position: int) -> tuple[Target, ...] | None:
        """The targets of the event at an insert position; None if they are not known here."""
        return self._targets.get(position)

    async def soon(self, position: int) -> tuple[Target, ...] | None:
        """As `where`. If a relay leads here and has not reached the position yet, waits for it, at most `SOON_S`: it
        knows the target before the database can be asked."""
        if position > self._highest:
            await self.wait(position, SOON_S)
        return self.where(position)

    async def wait(self, position: int, at_most_s: float) -> None:
        """Return when `tell` names the position, or after `at_most_s`."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(position, [])
        waiting.append(told)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(at_most_s):
                    await told
        finally:
            waiting.remove(told)
            if not waiting and self._waiting.get(position) is waiting:
                del self._waiting[position]


class Watch:
    """Shares one look at the projections' positions among all waiting callers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._coming: asyncio.Task[Applied] | None = None
        self._looked_at = 0.0

    async def next(self) -> Applied:
        """What has been applied by some moment after the call. Looks at most once in `LOOK_EVERY_S`."""
        if self._coming is None:
            # The look is for all callers, so it must not count for the first caller's share of connections.
            self._coming = asyncio.create_task(self._look(), context=contextvars.Context())
        return await asyncio.shield(self._coming)

    async def _look(self) -> Applied:
        try:
            await asyncio.sleep(self._looked_at + LOOK_EVERY_S - time.monotonic())
        finally:
            self._coming = None  # callers from here on need a later look
        self._looked_at = time.monotonic()
        async with self._pool.connection() as conn:
            return await consistency.applied(conn)


def _tokens(header: str, call: Call) -> list[Token]:
    parts = [part.strip() for part in header.split(",") if part.strip()]
    if len(parts) > MAX_TOKENS:
        raise InvalidInput(f"at most {MAX_TOKENS} tokens", field="x-lyceum-after")
    return [call.token(part) for part in parts]
