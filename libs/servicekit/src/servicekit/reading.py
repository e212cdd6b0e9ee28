"""Read-your-writes: a query waits until its service's projections have applied what its tokens stand for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from eventfold.consistency import POLL_FIRST_S, POLL_MAX_S, Target, Token, wait_until_reached
from eventfold.errors import InvalidInput
from eventfold.store import Connection
from servicekit.call import Call

WAIT_S = 2.0
MAX_TOKENS = 8

Resolve = Callable[[Token], Awaitable[tuple[Target, ...] | None]]
Connect = Callable[[], Awaitable[Connection]]


class ReadGate:
    """Holds a query back until `x-lyceum-after` is satisfied, for at most `WAIT_S`.

    `projections` maps this service's projections to the topics (with prefix) that they read; `resolvers` maps services
    to a way of asking where a token's events are.
    """

    def __init__(
        self, connect: Connect, projections: Mapping[str, Sequence[str]], resolvers: Mapping[str, Resolve]
    ) -> None:
        self._connect = connect
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
            resolved = await self._resolved(token, give_up_at)
            if resolved is None:
                return False
            targets.extend(resolved)
        async with await self._connect() as conn:
            return await wait_until_reached(conn, self._projections, targets, give_up_at - time.monotonic())

    async def _resolved(self, token: Token, give_up_at: float) -> tuple[Target, ...] | None:
        if token.service not in self._resolvers:
            raise InvalidInput("the token comes from an unknown service", field="x-lyceum-after")
        pause_s = POLL_FIRST_S
        while (targets := await self._resolvers[token.service](token)) is None:
            if time.monotonic() + pause_s > give_up_at:
                return None
            await asyncio.sleep(pause_s)
            pause_s = min(POLL_MAX_S, pause_s * 2)
        return targets


def _tokens(header: str) -> list[Token]:
    parts = [part.strip() for part in header.split(",") if part.strip()]
    if len(parts) > MAX_TOKENS:
        raise InvalidInput(f"at most {MAX_TOKENS} tokens", field="x-lyceum-after")
    return [Token.decode(part) for part in parts]
