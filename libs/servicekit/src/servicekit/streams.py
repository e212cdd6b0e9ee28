"""The streams that a server holds open: limited in number and for each member. Each is ended after a while, and all of
them when the server is being stopped. Whose stream ends asks again, from where it was."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from prometheus_client import Gauge

from eventfold.errors import Exhausted
from servicekit.draining import Overloaded, Stopping

OPEN = Gauge("lyceum_streams", "Streams held open to clients; at the limit of a server (2,000), new ones are refused.")
MAX_STREAMS = 2_000
MAX_OF_MEMBER = 5
STREAM_S = 300.0
"""Then the client asks again, with a token that is valid still: a stream outlives its token by no more than this."""


class TooManyStreams(Exhausted):
    """A member has as many streams open as one may have: end one of them first."""

    code = "TOO_MANY_STREAMS"

    def __init__(self, member_id: str, most: int) -> None:
        super().__init__(f"at most {most} streams may be open at once", member_id=member_id)


@dataclass
class Streams:
    """The open streams of one server."""

    max_streams: int = MAX_STREAMS
    max_of_member: int = MAX_OF_MEMBER
    stream_s: float = STREAM_S
    _of_members: Counter[str] = field(default_factory=Counter)
    _limits: set[asyncio.Timeout] = field(default_factory=set)
    _stopping: bool = False

    def __len__(self) -> int:
        """How many are open."""
        return self._of_members.total()

    @contextlib.contextmanager
    def place(self, member_id: str) -> Iterator[None]:
        """A place for a stream of a member. Raises `TooManyStreams` if the member has too many, `Overloaded` if the
        server has, and `Stopping` if no more are begun."""
        if self._stopping:
            raise Stopping(taken=False)
        if len(self) >= self.max_streams:
            raise Overloaded
        if self._of_members[member_id] >= self.max_of_member:
            raise TooManyStreams(member_id, self.max_of_member)
        self._of_members[member_id] += 1
        OPEN.inc()
        try:
            yield
        finally:
            OPEN.dec()
            self._of_members[member_id] -= 1
            if not self._of_members[member_id]:
                del self._of_members[member_id]

    @contextlib.asynccontextmanager
    async def bounded(self) -> AsyncIterator[None]:
        """What is inside ends, as if it had come to its end, after `stream_s` seconds or when `end` is called."""
        limit = asyncio.timeout(0 if self._stopping else self.stream_s)
        self._limits.add(limit)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._limits.discard(limit)

    def end(self) -> None:
        """End all, and begin no more."""
        self._stopping = True
        for limit in list(self._limits):
            limit.reschedule(asyncio.get_running_loop().time())
