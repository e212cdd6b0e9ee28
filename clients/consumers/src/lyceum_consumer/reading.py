"""Reads the topics from where the store is, and goes on for ever or until nothing more comes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from lyceum_consumer.errors import NoSuchTopic
from lyceum_consumer.following import Follower, oldest
from lyceum_consumer.store import Position, Store

POLL_MS: Final = 500
MAX_RECORDS: Final = 1000
"""Records of one fetch: what is decoded and committed at once."""


class Reader:
    """Follows `topics` (without generation). The broker keeps nothing for it: no group, no committed offsets."""

    def __init__(self, bootstrap: str, topics: Sequence[str], store: Store, follower: Follower) -> None:
        self._bootstrap = bootstrap
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="none"
        )
        self._topics = topics
        self._store = store
        self._follower = follower
        self._topic_of: dict[str, str] = {}

    async def run(self, idle_s: float | None) -> None:
        """Read until nothing has come for `idle_s`; for ever with None. Raises `MustStop` and `KafkaError`."""
        await self._consumer.start()
        try:
            await self._assign()
            await self._read(idle_s)
        finally:
            await self._consumer.stop()

    async def _read(self, idle_s: float | None) -> None:
        clock = asyncio.get_running_loop().time
        last_s = clock()
        while idle_s is None or clock() - last_s < idle_s:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=MAX_RECORDS)
            if fetched:
                last_s = clock()
            crossed = [
                self._follower.apply(self._topic_of[place.topic], place.topic, place.partition, records)
                for place, records in fetched.items()
                if records
            ]
            if any(crossed):
                await self._assign()

    async def _assign(self) -> None:
        """Read each topic in the generation that the store has come to, from its positions on."""
        partitions = await self._partitions()
        self._topic_of = {}
        places: dict[TopicPartition, int] = {}
        for topic in self._topics:
            name = self._store.reading().get(topic) or self._begun(topic, partitions)
            if name not in partitions:
                raise NoSuchTopic(name)
            self._topic_of[name] = topic
            for partition, at in self._store.positions(name).items():
                if not at.closed:
                    places[TopicPartition(name, partition)] = at.next_offset
        self._consumer.assign(list(places))
        for place, offset in places.items():
            self._consumer.seek(place, offset)

    async def _partitions(self) -> Mapping[str, Sequence[int]]:
        """The partitions of every topic on the broker. A consumer knows only those of topics that it reads already."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            told = await admin.describe_topics()
        finally:
            await admin.close()
        return {one["topic"]: [each["partition"] for each in one["partitions"]] for one in told}

    def _begun(self, topic: str, partitions: Mapping[str, Sequence[int]]) -> str:
        """The generation to begin with, from its first record on."""
        name = oldest(topic, list(partitions))
        if name is None or not partitions[name]:
            raise NoSuchTopic(topic)
        with self._store.transaction():
            self._store.read(topic, name, {one: Position(0, 0) for one in partitions[name]})
        return name
