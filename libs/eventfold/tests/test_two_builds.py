"""Old and new side by side: what a build does not know is private to it, or waits for one that does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from house import House, context
from reading import assert_unbroken_runs, read_all, stored_order
from relaying import eventually, everything_acknowledged, relaying
from shelf import CODEC, TOPIC, BookAdded, JsonInsteadOfAvro, add, to_public

from eventfold import EventCodec
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import Publisher
from eventfold.publish.relay import Relay
from eventfold.publish.sending import Producer
from eventfold.publish.topics import prepare_topics
from eventfold.publish.witness import tails_of


class OldAvro(JsonInsteadOfAvro):
    """A build that does not have the newest schema."""

    def written_as(self, value: bytes) -> tuple[str, str]:
        if b"new" in value:
            raise LookupError("no schema of this fingerprint")
        return super().written_as(value)


OLD_CODEC = EventCodec({BookAdded: CODEC.types[BookAdded]})
"""It does not know of audits either."""


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> str:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=2)
    return house.prefix + TOPIC


@contextlib.asynccontextmanager
async def old_relay(house: House, brokers: Brokers, topic: str) -> AsyncIterator[asyncio.Task[Any]]:
    running = Relay(
        name="relay",
        holder="old",
        connect=house.connect,
        codec=OLD_CODEC,
        topics=[topic],
        publisher=Publisher("/library", to_public, OldAvro(), house.prefix),
        tails=tails_of(brokers),
        producers=lambda: Producer(brokers, "old"),
    )
    task = asyncio.create_task(running.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_private_event_of_a_newer_build_does_not_end_the_older_relay(
    house: House, brokers: Brokers, topic: str
) -> None:
    await house.store.handle_batch([add("one", "a"), add("one", "audit"), add("one", "b")], context())
    async with old_relay(house, brokers, topic) as old:
        await eventually(lambda: everything_acknowledged(house))
        assert not old.done()
    assert len(await read_all(brokers, topic)) == 2


async def test_what_the_older_relay_cannot_send_the_newer_one_does(
    house: House, brokers: Brokers, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    await house.store.handle_batch([add("one", "a"), add("one", "new"), add("two", "b")], context())
    async with old_relay(house, brokers, topic) as old:

        async def named() -> bool:
            return "shelf-one version 2 is of a newer build" in str(
                [one.__dict__.get("reason") for one in caplog.records]
            )

        await eventually(named)
        assert not old.done(), "it waits for one that knows"
        async with relaying(house, brokers, "new"):
            await eventually(lambda: everything_acknowledged(house))
    assert_unbroken_runs(await read_all(brokers, topic), await stored_order(house))
