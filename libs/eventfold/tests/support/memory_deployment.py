"""The example domain as its operators see it, with Kafka in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from deployed import deployment
from house import House
from memory_kafka import Gates, Kafka, Reader, Session

from eventfold import Connection
from eventfold.publish.brokers import Brokers
from eventfold_ops.deployment import Deployment


@dataclass(frozen=True, kw_only=True)
class InMemory(Deployment):
    """Its producers stand still at `gates`, and its consumers die at this fetch, if not at 0."""

    kafka: Kafka
    connected: Callable[[], Awaitable[Connection]]
    gates: Gates
    consumer_dies_at: int = 0

    async def connect(self) -> Connection:
        return await self.connected()

    async def existing_topics(self) -> dict[str, int]:
        return self.kafka.existing()

    async def prepare_topic(self, name: str, partitions: int) -> None:
        self.kafka.make(name, partitions)

    async def continues_at(self, place: tuple[str, int], seq: int) -> int | None:
        return self.kafka.continues_at(place, seq)

    def producer(self, purpose: str) -> Any:
        return Session(self.kafka, self.gates)

    def consumer(self, purpose: str, partition_fetch_bytes: int) -> Any:
        return Reader(self.kafka, self.consumer_dies_at)


def in_memory(
    house: House, kafka: Kafka, connected: Callable[[], Awaitable[Connection]], gates: Gates | None = None
) -> InMemory:
    """An installation of the example domain over this Kafka."""
    return InMemory(**vars(deployment(house, Brokers(""))), kafka=kafka, connected=connected, gates=gates or Gates())
