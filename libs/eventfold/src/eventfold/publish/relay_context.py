"""What a relay works with, and what one term of leadership leaves to the next."""

from __future__ import annotations

import asyncio
import contextlib
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
"""Raises `TopicMisconfigured` for a topic on Kafka that would lose its history or refuse what may be written; and
`KafkaError`."""


async def taken_as_they_are(topics: Sequence[str]) -> None:
    """Examines nothing."""


class Listener(Protocol):
    """Hears from a relay in its own process. Must not block."""

    def tell(self, targets: Mapping[int, Target | None]) -> None:
        """Where the events of a batch go, by insert position; None for private ones. They are sequenced and not yet
        sent."""

    def forget(self) -> None:
        """The term is over: topics may be switched, and what was told may be somewhere else soon."""


class RelayContext:
    """What all terms of a relay share.

    `connect` opens a connection of the relay's own role, in autocommit mode. `topics` are all topics that the service
    may publish on; while one is missing, or `examine` refuses it, the relay sends nothing, says so, and looks again.
    `tails` reads what they hold.
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
        """Partitions that were found to be shorter than they had been."""
        self.rewound: HistoryRewound | None = None
        """Why nothing is sent, while that is because the store is behind its topics."""

    def wake(self) -> None:
        """Tell the relay that something was committed. Never blocks."""
        self._awake.set()

    def listen(self, listener: Listener) -> None:
        """Have `listener` told where events go, from now on."""
        self.listener = listener

    def working(self) -> None:
        """What was left over is sent: this term can do something."""
        self.came_to_nothing = False

    def agreed(self) -> None:
        """Topics and store agree."""
        self.rewound = None
        telemetry.RELAY_REWOUND.labels(self.name).set(0)

    async def wait_for_work(self, idle_s: float, at_least_s: float = 0.0) -> None:
        """Return `at_least_s` from now, or later: when woken or after a further `idle_s`."""
        await asyncio.sleep(at_least_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), idle_s)
        self._awake.clear()

    def record(self, row: StoredRow, salt: str) -> Record | None:
        """What is sent of a sequenced row; None for a private event.

        An event without a public value is a private one, or an older server's. What a newer build recorded and this one
        does not know is private: each build knows the types of those before it, and later ones store public values.
        """
        value = row[PUBLIC_VALUE]
        if value is not None:
            return self.publisher.record(value, envelope_to_send(row, salt))
        try:
            return self.publisher.encode(recorded_to_send(self.codec, row), salt)
        except UnknownEventType:
            return None
