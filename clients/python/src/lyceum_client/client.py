"""The client: one caller's session with the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

import httpx

from lyceum_client.calling import How
from lyceum_client.errors import BadAddress
from lyceum_client.messages import identity
from lyceum_client.sending import Sender
from lyceum_client.services.billing import Billing
from lyceum_client.services.catalog import Catalog
from lyceum_client.services.identity import Identity
from lyceum_client.services.metrics import Metrics
from lyceum_client.services.notifications import Notifications
from lyceum_client.services.reco import Reco
from lyceum_client.session import Session

MAX_CONNECTIONS: Final = 16
REFRESH: Final = How(deadline_s=8.0)
"""Within 10 s identity answers a refresh that is sent again alike."""


class Lyceum:
    """A session with the gateway at `url`. Safe for concurrent use within one event loop. Raises `BadAddress`.

    Calls wait for what this session has written before, wherever it was written. Every call raises `LyceumError` only.
    """

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise BadAddress(url)
        limits = httpx.Limits(max_connections=MAX_CONNECTIONS)
        self._http = httpx.AsyncClient(  # each call has a deadline of its own
            base_url=url,
            limits=limits,
            transport=transport,
            trust_env=False,
            timeout=None,  # noqa: S113
        )
        self._session = Session(self._refreshed, clock)
        sender = Sender(self._http, self._session, pause)
        self.billing = Billing(sender)
        self.catalog = Catalog(sender)
        self.identity = Identity(sender)
        self.metrics = Metrics(sender)
        self.notifications = Notifications(sender)
        self.reco = Reco(sender)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the session stays valid on the platform until `log_out` or its end."""
        await self._http.aclose()

    async def log_in(self, username: str, password: str) -> identity.LogInResponse:
        """Begin a session, in place of the one before. The password is not kept: when the session ends, calls raise
        `Unauthenticated`."""
        answer = await self.identity.log_in(identity.LogInRequest(username=username, password=password))
        self._session.begin(answer.value)
        return answer.value

    async def log_out(self) -> None:
        """End the session on the platform and here; nothing without one."""
        if tokens := self._session.tokens:
            await self.identity.revoke_session(identity.RevokeSessionRequest(refresh_token=tokens.refresh))
            self._session.forget()

    async def _refreshed(self, refresh_token: str) -> identity.RefreshSessionResponse:
        answer = await self.identity.refresh_session(
            identity.RefreshSessionRequest(refresh_token=refresh_token), REFRESH
        )
        return answer.value
