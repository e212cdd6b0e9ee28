"""The parts that a relay works with, and the state that one term of leadership leaves to the next."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from eventfold import telemetry
from eventfold.errors import HistoryRewound
from eventfold.postgres.sessions import Connection
from eventfold.publish.outgoing import Target, envelope_to_send, recorded_to_send
from eventfold.publish.publisher import Publisher, Record
from eventfold.publish.sequencing import PUBLIC_VALUE, StoredRow
from eventfold.publish.witness import Tails
from eventfold.vocabulary.codec import EventCodec, UnknownEventType
from eventfold.vocabulary.public import TopicPartition

Connect = Callable[[], Awaitable[Connection]]
Producers = Callable[[], Any]
Examine = Callable[[Sequence[str]], Awaitable[None]]
"""Raises `TopicMisconfigured` for a topic on Kafka that would lose its history or refuse events that may be written.
Also raises `KafkaError`."""


async def taken_as_they_are(topics: Sequence[str]) -> None:
    """Examines nothing."""


class Listener(Protocol):
    """Is told by a relay in its own process where events go. Must not block."""

    def tell(self, targets: Mapping[int, Target | None]) -> None:
        """The targets of the events of a batch, by insert position; None for private events. The events are sequenced,
        but not yet sent."""

    def forget(self) -> None:
        """The term is over. Topics may be switched, so targets told before may soon be wrong."""


class RelayContext:
    """The state that all terms of a relay share.

    `connect` opens a connection with the relay's own role, in autocommit mode. `topics` are all topics that the service
    may publish on. While one is missing, or `examine` refuses it, the relay sends nothing, logs the reason, and looks
    again. `tails` reads the ends of the topics.
    """

    def __init__(
        self,
        *,
        name: str,
        holder: str,
        connect: Connect,
        producers: Producers,
        tails: Tails,
        publisher: Publisher,
        codec: EventCodec,
        topics: Sequence[str],
        examine: Examine = taken_as_they_are,
    ) -> None:
        self.name = name
        self.holder = holder
        self.connect = connect
        self.producers = producers
        self.tails = tails
        self.publisher = publisher
        self.codec = codec
        self.topics = topics
        self.examine = examine
        self._awake = asyncio.Event()
        self.listener: Listener | None = None
        self.came_to_nothing = False
        self.suspects: set[TopicPartition] = set()
        """Partitions that were found shorter than before."""
        self.rewound: HistoryRewound | None = None
        """Why nothing is sent, while the store is behind its topics; otherwise None."""
        self._turned_at: float | None = None

    def wake(self) -> None:
        """Tell the relay that something was committed. Never blocks."""
        self._awake.set()

    def listen(self, listener: Listener) -> None:
        """From now on, tell `listener` where events go."""
        self.listener = listener

    def turned(self) -> None:
        """The relay has come around once: it renewed its lease in spite of pending work, or it tried to lead."""
        self._turned_at = time.monotonic()

    def stuck_s(self) -> float:
        """For how many seconds the relay has neither tried to lead nor, as leader, renewed its lease; 0 before it runs.
        May be called from any thread.

        A leader that has work and gets nothing acknowledged ends its term, and tries again (`NoProgress`). So do one
        whose Kafka or database is away, and one whose store is rewound. All of them come around, and so does a relay
        that waits for another's lease; only one that hangs does not.
        """
        return 0.0 if self._turned_at is None else time.monotonic() - self._turned_at

    def working(self) -> None:
        """All leftover events are sent: this term makes progress."""
        self.came_to_nothing = False

    def agreed(self) -> None:
        """Topics and store agree."""
        self.rewound = None
        telemetry.RELAY_REWOUND.labels(self.name).set(0)

    async def wait_for_work(self, idle_s: float, at_least_s: float = 0.0) -> None:
        """Return `at_least_s` from now, or later: when woken or after a further `idle_s`."""
        await asyncio.sleep(at_least_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(idle_s):
                await self._awake.wait()
        self._awake.clear()

    def record(self, row: StoredRow, salt: str) -> Record | None:
        """The record to send for a sequenced row; None for a private event.

        An event without a public value is private, or an older server wrote it. An event of a newer build whose type
        this build does not know is private: each build knows the types of all earlier builds, and later builds store
        public values.
        """
        value = row[PUBLIC_VALUE]
        if value is not None:
            return self.publisher.record(value, envelope_to_send(row, salt))
        try:
            return self.publisher.encode(recorded_to_send(self.codec, row), salt)
        except UnknownEventType:
            return None
