"""A caller's tokens: kept, renewed before they end, by one of all that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from lyceum_client.consistency import Written
from lyceum_client.messages.identity import LogInResponse, RefreshSessionResponse

REFRESH_BEFORE_S: Final = 60.0
"""How long before its end an access token is renewed; at most half its life."""

Renew = Callable[[str], Awaitable[RefreshSessionResponse]]
"""Exchanges a refresh token for new tokens."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """An access token, used until `fresh_until_s` of the clock, and what renews it."""

    access: str
    refresh: str
    fresh_until_s: float


class Session:
    """Safe for concurrent use within one event loop. `written` is what it has written."""

    def __init__(self, renew: Renew, clock: Callable[[], float]) -> None:
        self._renew_by = renew
        self._clock = clock
        self._renewing: asyncio.Task[None] | None = None
        self.tokens: Tokens | None = None
        self.written = Written()

    def begin(self, found: LogInResponse) -> None:
        """Begin anew with these tokens."""
        self.written = Written()
        self._keep(found)

    def forget(self) -> None:
        """There is no session any more."""
        self.tokens = None

    async def access_token(self) -> str:
        """A fresh access token; empty without a session. Raises what renewing it raises."""
        if self.tokens is not None and self._clock() >= self.tokens.fresh_until_s:
            await self.renew(self.tokens.access)
        return self.tokens.access if self.tokens else ""

    async def renew(self, used: str) -> None:
        """New tokens, unless somebody renewed them since `used` was sent.

        A refresh token is good once, so all that wait share one refresh, and it goes on when one of them gives up: a
        refresh whose answer nobody keeps would cost the session.
        """
        if self.tokens is None or self.tokens.access != used:
            return
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(self.tokens))
            self._renewing.add_done_callback(self._renewed)
        await asyncio.shield(self._renewing)

    async def _renew(self, tokens: Tokens) -> None:
        found = await self._renew_by(tokens.refresh)
        if self.tokens is tokens:  # nobody logged in or out meanwhile
            self._keep(found)

    def _renewed(self, task: asyncio.Task[None]) -> None:
        self._renewing = None
        if not task.cancelled():
            task.exception()  # looked at, also if all that waited have given up

    def _keep(self, found: LogInResponse | RefreshSessionResponse) -> None:
        left_s = max(found.expires_in_s - REFRESH_BEFORE_S, found.expires_in_s / 2)
        self.tokens = Tokens(found.access_token, found.refresh_token, self._clock() + left_s)
