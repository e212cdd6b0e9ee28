"""Renewing tokens once, however many tabs ask at the same time; and ending a session for all of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from lyceum_web.bounds import ENDED_S, ENDED_SESSIONS, RENEW_BEFORE_S, SUCCESSOR_S, SUCCESSORS
from lyceum_web.errors import NotAdmitted, SessionOver
from lyceum_web.gateway.client import Gateway
from lyceum_web.session.sessions import Session, renewed

REFRESH: Final = "/v1/sessions:refresh"
REVOKE: Final = "/v1/sessions:revoke"
Kept = TypeVar("Kept")
Clock = Callable[[], float]


class Remembered(Generic[Kept]):
    """Things by name, each for `for_s` seconds, at most `most` of them: the oldest goes first."""

    def __init__(self, most: int, for_s: float, clock: Clock) -> None:
        self._most, self._for_s, self._clock = most, for_s, clock
        self._kept: OrderedDict[str, tuple[float, Kept]] = OrderedDict()

    def put(self, name: str, kept: Kept) -> None:
        """Remember from now on."""
        self._kept.pop(name, None)
        self._kept[name] = (self._clock() + self._for_s, kept)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def get(self, name: str) -> Kept | None:
        """What is remembered, or None."""
        until, kept = self._kept.get(name, (0.0, None))
        return kept if self._clock() < until else None


class Renewing:
    """The sessions of this process in so far as they change. `clock` tells seconds since 1970.

    A refresh token is good once. Tabs that wake up together hold the same one, and a browser may never receive the
    cookie with its follower, so what followed a token is remembered for a while. Other replicas know nothing of it;
    there identity helps, which gives the same follower again for 10 seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[str, asyncio.Task[Session]] = {}
        self._followers: Remembered[Session] = Remembered(SUCCESSORS, SUCCESSOR_S, clock)
        self._ended: Remembered[bool] = Remembered(ENDED_SESSIONS, ENDED_S, clock)

    def is_ended(self, session: Session) -> bool:
        """Whether the session was logged out here. A tab that was renewing it must not bring it back."""
        return self._ended.get(session.session_id) is not None

    def newest(self, session: Session) -> Session:
        """The session with the newest tokens that are known here."""
        for _ in range(SUCCESSORS):
            follower = self._followers.get(session.refresh)
            if follower is None:
                return session
            session = follower
        return session

    async def fresh(self, session: Session, gateway: Gateway) -> Session:
        """The session with an access token that lasts a while. Raises `SessionOver` and `GatewayTrouble`."""
        session = self.newest(session)
        if self._clock() < session.access_until - RENEW_BEFORE_S:
            return session
        return await self.renew(session, gateway)

    async def renew(self, session: Session, gateway: Gateway) -> Session:
        """New tokens, asked for once for all who ask meanwhile. Raises `SessionOver` and `GatewayTrouble`."""
        session = self.newest(session)
        task = self._running.get(session.refresh)
        if task is None:
            task = asyncio.create_task(self._renew(session, gateway))
            self._running[session.refresh] = task
            task.add_done_callback(lambda done: self._done(session.refresh, done))
        return await asyncio.shield(task)  # one tab that goes away takes nothing from the others

    async def end(self, session: Session, gateway: Gateway) -> None:
        """Log out, here at once and at identity. Raises `GatewayTrouble` where identity could not be told."""
        self._ended.put(session.session_id, True)
        try:
            await gateway.post(REVOKE, {"refresh_token": self.newest(session).refresh})
        except NotAdmitted:
            return  # it had ended already

    async def _renew(self, session: Session, gateway: Gateway) -> Session:
        try:
            answer = await gateway.post(REFRESH, {"refresh_token": session.refresh})
        except NotAdmitted as over:
            raise SessionOver from over
        follower = renewed(session, answer, self._clock())
        self._followers.put(session.refresh, follower)
        return follower

    def _done(self, refresh: str, task: asyncio.Task[Session]) -> None:
        self._running.pop(refresh, None)
        if not task.cancelled():
            task.exception()  # told to whoever waited; where nobody does any more, there is nobody to tell
