"""Use cases around sessions: log in, refresh, log out."""

from __future__ import annotations

from datetime import timedelta

from eventfold import Ask, Context, EventStore, Item
from eventfold.errors import Unauthenticated
from identity.domain.session import SESSION, RefreshSession, RevokeSession, Session, StartSession


class LogInFailed(Unauthenticated):
    """Wrong name, wrong password or unclaimed account: one answer for all, so that it reveals nothing."""

    code = "LOG_IN_FAILED"


class SessionEnded(Unauthenticated):
    """The refresh token is unknown or old, or its session has ended: log in again."""

    code = "SESSION_ENDED"


class Sessions:
    """Runs commands on session streams."""

    def __init__(self, store: EventStore, lifetime: timedelta) -> None:
        self._store = store
        self._lifetime = lifetime

    async def start(self, session_id: str, member_id: str, token_hash: str, context: Context) -> None:
        """Begin a session."""
        command = StartSession(member_id, token_hash, context.now + self._lifetime)
        await self._store.handle(Item((Ask(SESSION, session_id, command, new=True),)), context)

    async def refresh(self, session_id: str, presented: str, following: str, context: Context) -> str:
        """Replace the refresh token. Returns the member's id. Raises `SessionEnded`."""
        ask = Ask(SESSION, session_id, RefreshSession(presented, following, context.now))
        await self._store.handle(Item((ask,)), context)
        session: Session | None = await self._store.current(ask)
        if session is None or not session.takes(following, context.now):
            raise SessionEnded("the session has ended; log in again 会话已失效，请重新登录", field="refresh_token")
        return session.member_id

    async def revoke(self, session_id: str, presented: str, context: Context) -> None:
        """End the session. If it has ended already or never existed, nothing happens."""
        await self._store.handle(Item((Ask(SESSION, session_id, RevokeSession(presented)),)), context)
