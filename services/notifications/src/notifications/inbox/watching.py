"""Live inboxes: one look at the table for all who watch, and for each of them what is new."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field

from notifications.inbox.projections import NotificationRow

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
BEAT_S = 15.0
"""After so long without news a stream says that it is alive: gateways end what says nothing for a minute."""

Rows = tuple[NotificationRow, ...]
Newest = Callable[[Sequence[str]], Awaitable[Mapping[str, Rows]]]
"""The newest notifications of each of these members, the newest first."""


@dataclass
class _Member:
    rows: Rows = ()
    watchers: int = 0
    failure: Exception | None = None
    looked: asyncio.Condition = field(default_factory=asyncio.Condition)


class Watching:
    """Looks for all members that somebody of this process watches, every `look_every_s`, while there is one."""

    def __init__(self, newest: Newest, look_every_s: float = LOOK_EVERY_S, beat_s: float = BEAT_S) -> None:
        self._newest = newest
        self._look_every_s, self._beat_s = look_every_s, beat_s
        self._members: dict[str, _Member] = {}
        self._looking: asyncio.Task[None] | None = None

    async def news(self, member_id: str, known: Collection[str] = ()) -> AsyncGenerator[NotificationRow | None, None]:
        """What is not `known` of a member's newest, the oldest first, and then what is new; None after `beat_s` without
        news. Raises what a look raised."""
        had = set(known)
        with self._watched(member_id) as member:
            while True:
                fresh = [row for row in reversed(member.rows) if row.notification_id not in had]
                had |= {row.notification_id for row in fresh}
                for row in fresh:
                    yield row
                if not fresh and not await self._changed(member, had):
                    yield None

    async def _changed(self, member: _Member, had: Collection[str]) -> bool:
        """Whether something new came within `beat_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._beat_s), member.looked:
                while all(row.notification_id in had for row in member.rows):
                    await member.looked.wait()
                    if member.failure:
                        raise member.failure
                return True
        return False

    @contextlib.contextmanager
    def _watched(self, member_id: str) -> Iterator[_Member]:
        member = self._members.setdefault(member_id, _Member())
        member.watchers += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), context=Context())  # nobody's call: it serves all
        try:
            yield member
        finally:
            member.watchers -= 1
            if not member.watchers:
                del self._members[member_id]

    async def _look(self) -> None:
        while self._members:
            failure: Exception | None = None
            found: Mapping[str, Rows] = {}
            try:
                found = await self._newest(list(self._members))
            except Exception as caught:  # noqa: BLE001 - whoever watches is told
                failure = caught
                log.warning("watching failed", extra={"kind": type(caught).__name__})
            for member_id, member in list(self._members.items()):
                async with member.looked:
                    member.rows, member.failure = found.get(member_id, member.rows), failure
                    member.looked.notify_all()
            await asyncio.sleep(self._look_every_s)

    async def aclose(self) -> None:
        """Look no more. Whoever watches still gets nothing new."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
