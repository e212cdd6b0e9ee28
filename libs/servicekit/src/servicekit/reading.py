"""Read-your-writes: a query waits until its service's projections have applied what its tokens stand for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from eventfold import consistency
from eventfold.consistency import Applied, Target, Token
from eventfold.errors import InvalidInput
from eventfold.store import Pool
from servicekit.call import Call

WAIT_S = 2.0
MAX_TOKENS = 8
POLL_FIRST_S, POLL_MAX_S = 0.005, 0.020
LOOK_EVERY_S = 0.004

Resolve = Callable[[Token], Awaitable[tuple[Target, ...] | None]]
Found = TypeVar("Found")


class ReadGate:
    """Holds a query back until `x-lyceum-after` is satisfied, for at most `WAIT_S`.

    `projections` maps this service's projections to the topics (with prefix) that they read; `resolvers` maps services
    to a way of asking where a token's events are.
    """

    def __init__(self, pool: Pool, projections: Mapping[str, Sequence[str]], resolvers: Mapping[str, Resolve]) -> None:
        self._watch = Watch(pool)
        self._projections = projections
        self._resolvers = resolvers

    async def wait(self, call: Call) -> bool:
        """Wait for the call's tokens; tells the client by `x-lyceum-stale: true` when time ran out, and returns
        whether the answer may be used as fresh. Raises `InvalidInput` for a foreign token."""
        header = call.metadata.get("x-lyceum-after")
        if not header:
            return True
        fresh = await self._satisfied(_tokens(header))
        await call.servicer_context.send_initial_metadata((("x-lyceum-stale", "false" if fresh else "true"),))
        return fresh

    async def _satisfied(self, tokens: Sequence[Token]) -> bool:
        give_up_at = time.monotonic() + WAIT_S
        targets: list[Target] = []
        for token in tokens:
            if token.service not in self._resolvers:
                raise InvalidInput("the token comes from an unknown service", field="x-lyceum-after")
            resolved = await _polled(partial(self._resolvers[token.service], token), give_up_at)
            if resolved is None:
                return False
            targets.extend(resolved)
        return await self._reached(targets, give_up_at)

    async def _reached(self, targets: Sequence[Target], give_up_at: float) -> bool:
        while not consistency.reached(await self._watch.next(), self._projections, targets):
            if time.monotonic() > give_up_at:
                return False
        return True


class Watch:
    """One look at the projections' positions serves all who wait, however many they are."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._coming: asyncio.Task[Applied] | None = None
        self._looked_at = 0.0

    async def next(self) -> Applied:
        """What has been applied by some moment after the call; comes at most once in `LOOK_EVERY_S`."""
        if self._coming is None:
            self._coming = asyncio.create_task(self._look())
        return await asyncio.shield(self._coming)

    async def _look(self) -> Applied:
        try:
            await asyncio.sleep(self._looked_at + LOOK_EVERY_S - time.monotonic())
        finally:
            self._coming = None  # who asks from here on needs a later look
        self._looked_at = time.monotonic()
        async with self._pool.connection() as conn:
            return await consistency.applied(conn)


async def _polled(look: Callable[[], Awaitable[Found | None]], give_up_at: float) -> Found | None:
    """The first result that is not None, looked for with growing pauses; None when time is over."""
    pause_s = POLL_FIRST_S
    while (found := await look()) is None:
        if time.monotonic() + pause_s > give_up_at:
            return None
        await asyncio.sleep(pause_s)
        pause_s = min(POLL_MAX_S, pause_s * 2)
    return found


def _tokens(header: str) -> list[Token]:
    parts = [part.strip() for part in header.split(",") if part.strip()]
    if len(parts) > MAX_TOKENS:
        raise InvalidInput(f"at most {MAX_TOKENS} tokens", field="x-lyceum-after")
    return [Token.decode(part) for part in parts]
