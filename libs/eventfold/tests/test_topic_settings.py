"""Topics take whatever may be written, or are refused before anything is."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from house import House, context
from reading import header, read_all
from relaying import eventually, everything_acknowledged, relaying
from shelf import CODEC, TOPIC, JsonInsteadOfAvro, add, to_public

from eventfold import EventStore
from eventfold.errors import TopicMisconfigured, Unpublishable
from eventfold.publish import relay
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import MAX_AROUND_BYTES, MAX_BATCH_BYTES, MAX_VALUE_BYTES, Publisher
from eventfold.publish.topic_settings import CREATED, complaint
from eventfold.publish.topics import administrator, check_topics, prepare_topics

GOOD = {
    **CREATED,
    "segment.bytes": "1073741824",
    "min.insync.replicas": "1",
    "message.timestamp.after.max.ms": "3600000",
}
AN_HOUR_MS = "3600000"


def test_a_topic_as_it_is_made_will_do() -> None:
    assert complaint(GOOD, replicas=1) is None


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cleanup.policy", "compact"),
        ("cleanup.policy", "compact,delete"),
        ("retention.ms", "604800000"),
        ("retention.bytes", "1000000000"),
        ("max.message.bytes", "999999"),
        ("segment.bytes", "999999"),
        ("min.insync.replicas", "2"),
    ],
)
def test_a_topic_that_loses_or_refuses_is_complained_of(setting: str, value: str) -> None:
    found = complaint({**GOOD, setting: value}, replicas=1)
    assert found is not None and setting in found, "the setting is named"


@pytest.mark.parametrize("bound", ["message.timestamp.before.max.ms", "message.timestamp.after.max.ms"])
def test_a_topic_that_judges_times_is_complained_of_unless_the_broker_stamps_records_itself(bound: str) -> None:
    judging = {**GOOD, "message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(2**63 - 1)}
    assert complaint(judging, replicas=1) is None
    assert bound in str(complaint({**judging, bound: AN_HOUR_MS}, replicas=1))
    assert complaint({**GOOD, bound: AN_HOUR_MS}, replicas=1) is None


async def make(brokers: Brokers, settings: dict[str, str]) -> str:
    name = f"t{uuid.uuid4().hex[:12]}.topic"
    async with administrator(brokers) as admin:
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=settings)])
    return name


async def settings_of(brokers: Brokers, name: str) -> dict[str, str]:
    async with administrator(brokers) as admin:
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def test_preparing_sets_up_a_topic_of_an_earlier_build_and_keeps_what_was_set(brokers: Brokers) -> None:
    name = await make(brokers, {"cleanup.policy": "delete", "retention.ms": "-1", "segment.bytes": "20000000"})
    await prepare_topics(brokers, [name], partitions=1)
    found = await settings_of(brokers, name)
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert (found["retention.ms"], found["segment.bytes"]) == ("-1", "20000000")
    await check_topics(brokers, [name])


@pytest.mark.parametrize(
    "settings",
    [
        {"message.timestamp.type": "CreateTime"},
        {"max.message.bytes": "500000"},
        {"min.insync.replicas": "2"},
        {"retention.ms": "86400000"},
        {"cleanup.policy": "compact"},
    ],
    ids=lambda settings: next(iter(settings)),
)
async def test_what_somebody_has_set_so_that_it_loses_or_refuses_is_refused(
    brokers: Brokers, settings: dict[str, str]
) -> None:
    name = await make(brokers, {"retention.ms": "-1"} | settings)
    for checked in (prepare_topics(brokers, [name], partitions=1), check_topics(brokers, [name])):
        with pytest.raises(TopicMisconfigured):
            await checked


async def test_a_start_without_its_topic_is_refused(brokers: Brokers) -> None:
    with pytest.raises(TopicMisconfigured, match="run `prepare`"):
        await check_topics(brokers, ["nobody.made.this"])


async def test_a_relay_sends_nothing_to_a_topic_that_somebody_made_lose_its_history_until_it_is_put_right(
    house: House, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RETRY_MAX_S", 0.2)
    topic = house.prefix + TOPIC
    await prepare_topics(brokers, [topic], partitions=1)
    refused: list[TopicMisconfigured] = []

    async def examine(topics: Sequence[str]) -> None:
        try:
            await check_topics(brokers, topics)
        except TopicMisconfigured as misconfigured:
            refused.append(misconfigured)
            raise

    await set_on(brokers, topic, {**CREATED, "retention.ms": "86400000"})
    async with relaying(house, brokers, examine=examine):
        await house.store.handle(add("one", "a"), context())
        await eventually(lambda: more_than(refused, 2))
        assert not await read_all(brokers, topic)
        await set_on(brokers, topic, CREATED)
        await eventually(lambda: everything_acknowledged(house))
    assert "retention.ms" in str(refused[0])
    assert len(await read_all(brokers, topic)) == 1


async def more_than(found: Sequence[object], count: int) -> bool:
    return len(found) > count


async def set_on(brokers: Brokers, name: str, settings: Mapping[str, str]) -> None:
    async with administrator(brokers) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(settings))])


def with_clock(house: House, ahead: timedelta) -> House:
    """The same installation whose relay's clock is wrong too."""

    def clock_s() -> float:
        return (datetime.now(UTC) + ahead).timestamp()

    publisher = Publisher("/library", to_public, JsonInsteadOfAvro(), house.prefix, clock_s)
    return replace(house, publisher=publisher, store=EventStore(house.pool, CODEC, publisher, random.Random(7)))


@pytest.mark.parametrize("sender_ahead", [timedelta(0), timedelta(hours=2)], ids=["right again", "still wrong"])
async def test_an_event_of_a_server_whose_clock_is_two_hours_ahead_is_sent_all_the_same(
    house: House, brokers: Brokers, sender_ahead: timedelta
) -> None:
    # Given a server that lives two hours ahead, and a relay whose clock is right, or as wrong
    ahead = datetime.now(UTC) + timedelta(hours=2)
    house = with_clock(house, sender_ahead)
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=1)
    # When it records events, one of them imported from before 1970
    await house.store.handle(add("one", "a"), replace(context(), now=ahead))
    early = datetime(1912, 6, 23, tzinfo=UTC)
    await house.store.handle(add("one", "b"), replace(context(), now=ahead, occurred_at=early))
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    # Then both are on the topic, each with its own time
    records = await read_all(brokers, house.prefix + TOPIC)
    assert [header(record, "ce_time")[:13] for record in records] == [f"{ahead:%Y-%m-%dT%H}", "1912-06-23T00"]


@pytest.mark.parametrize("long", ["correlation_id", "causation_id", "traceparent"])
async def test_headers_that_would_not_fit_fail_their_command(house: House, long: str) -> None:
    surroundings: Any = {long: "字" * (MAX_AROUND_BYTES // 3 + 1)}
    with pytest.raises(Unpublishable, match="key and headers"):
        await house.store.handle(add("one", "a"), replace(context(), **surroundings))
    assert await house.rows("SELECT count(*) FROM events") == [(0,)]


async def test_the_largest_record_that_a_command_may_cause_is_taken(house: House, brokers: Brokers) -> None:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=1)
    title = "x" * (MAX_VALUE_BYTES - 200)
    await house.store.handle(add("one", title), replace(context(), correlation_id="y" * (MAX_AROUND_BYTES - 50)))
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    [record] = await read_all(brokers, house.prefix + TOPIC)
    around = len(record.key) + sum(len(name) + len(value) for name, value in record.headers)
    assert len(record.value) > MAX_VALUE_BYTES - 300 and around > MAX_AROUND_BYTES - 100
    assert len(record.value) + around < MAX_BATCH_BYTES
