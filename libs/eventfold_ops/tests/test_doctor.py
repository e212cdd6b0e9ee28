"""The doctor finds nothing in a healthy deployment, and finds each thing that was broken for real."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.new_partitions import NewPartitions
from aiokafka.admin.records_to_delete import RecordsToDelete
from examined import BOOKS, change, configure, of, only_complaint, with_admin
from house import House, context
from relaying import eventually, everything_acknowledged, relaying
from shelf import TOPIC, add

from eventfold import Connection
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import administrator
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor import examining, folding, reading
from eventfold_ops.doctor.cluster import Cluster, look
from eventfold_ops.doctor.examining import examine
from eventfold_ops.doctor.finding import Finding

TOPICS_OWN = 1
"""Where Kafka says that it has a setting from: the topic itself, not the broker or its defaults."""


async def test_a_healthy_deployment_has_no_complaint(healthy: Deployment) -> None:
    findings = await examine(healthy)
    assert [one for one in findings if one.state != "ok"] == []
    topic = healthy.topic_prefix + TOPIC
    assert {one.check for one in findings} >= {
        "PostgreSQL",
        "Kafka",
        "tables",
        "trigger",
        "sequence",
        "stored types",
        "read tables of counting",
        "subject keys",
        "relay lease",
        "sequencing",
        "outbox",
        "dead letters",
        f"topic {topic}",
        f"schemas on {topic}",
        f"partitions of {topic}",
        f"counting on {topic}",
    }
    assert of(findings, "sequence").says == f"dense up to {BOOKS}"
    assert "1 keys, 0 destroyed" in of(findings, "subject keys").says


async def test_it_changes_nothing(house: House, healthy: Deployment) -> None:
    everything = "SELECT * FROM fold_position, lease, relay_head"
    before = await house.rows(everything)
    await examine(healthy)
    assert await house.rows(everything) == before != []


async def test_an_absent_database_is_one_finding_and_kafka_is_still_looked_at(healthy: Deployment) -> None:
    away = replace(healthy, database_url="postgresql://nobody@127.0.0.1:1/none")
    findings = await examine(away)
    assert of(findings, "PostgreSQL").state == "broken" and of(findings, "Kafka").state == "ok"
    assert of(findings, f"topic {healthy.topic_prefix}{TOPIC}").state == "ok"


async def test_what_postgres_refuses_is_a_finding_and_the_other_checks_go_on(house: House, healthy: Deployment) -> None:
    await change(house, "ALTER TABLE due_date RENAME COLUMN attempts TO tries")
    await change(house, "ALTER TABLE fold_position RENAME COLUMN applied_at TO done_at")
    findings = await examine(healthy)
    complaints = [one for one in findings if one.check == "PostgreSQL" and one.state == "broken"]
    assert "applied_at" in complaints[0].says and "attempts" in complaints[-1].says
    assert all(one.next_step for one in complaints)
    assert of(findings, "sequence").state == of(findings, f"partitions of {healthy.topic_prefix}{TOPIC}").state == "ok"


async def test_a_connection_that_breaks_under_a_check_is_a_finding(
    healthy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(conn: Connection, _: Deployment) -> list[Finding]:
        await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return []

    monkeypatch.setattr(examining, "WHOLE_STORE_CHECKS", [cut])
    findings = await examine(healthy)
    assert any("terminating connection" in one.says for one in findings if one.state == "broken")
    assert of(findings, "Kafka").state == "ok"


async def test_an_absent_broker_is_one_finding_and_the_store_is_still_looked_at(healthy: Deployment) -> None:
    findings = await examine(replace(healthy, brokers=Brokers("127.0.0.1:1")))
    assert of(findings, "Kafka").state == "broken" and of(findings, "sequence").state == "ok"


async def test_a_missing_topic_is_named(healthy: Deployment) -> None:
    findings = await examine(replace(healthy, topics=(TOPIC, "test.library.absent")))
    assert of(findings, f"topic {healthy.topic_prefix}test.library.absent").state == "broken"


async def test_a_compacted_topic_is_broken(healthy: Deployment) -> None:
    await configure(healthy, healthy.topic_prefix + TOPIC, cleanup_policy="compact", retention_ms="-1")
    found = await only_complaint(healthy)
    assert found.state == "broken" and "compacted" in found.says


async def test_a_bounded_topic_is_a_warning(healthy: Deployment) -> None:
    await configure(healthy, healthy.topic_prefix + TOPIC, cleanup_policy="delete", retention_ms=f"{9 * 86_400_000}")
    found = await only_complaint(healthy)
    assert found.state == "warning" and "9 days" in found.says
    kept = {"retention_ms": "-1", "retention_bytes": f"{1 << 30}"}
    await configure(healthy, healthy.topic_prefix + TOPIC, cleanup_policy="delete", **kept)
    found = await only_complaint(healthy)
    assert found.state == "warning" and "1,073,741,824 bytes of each partition" in found.says
    assert "retention.bytes=-1" in found.next_step


async def test_a_topic_that_is_made_is_kept_whatever_the_brokers_default_is(library: Deployment) -> None:
    asked = ConfigResource(
        ConfigResourceType.TOPIC, library.topic_prefix + TOPIC, {"retention.ms": None, "retention.bytes": None}
    )
    async with administrator(library.brokers) as admin:
        [answer] = await admin.describe_configs([asked])
    set_on_the_topic = {entry[0]: entry[1] for entry in answer.resources[0][4] if entry[3] == TOPICS_OWN}
    assert set_on_the_topic == {"retention.ms": "-1", "retention.bytes": "-1"}


async def test_too_few_replicas_are_a_warning(healthy: Deployment) -> None:
    found = await only_complaint(replace(healthy, topic_replication=3))
    assert found.state == "warning" and "1 replicas, declared are 3" in found.says


async def test_partitions_that_the_relay_does_not_know_are_broken(healthy: Deployment) -> None:
    await with_admin(
        healthy, lambda admin: admin.create_partitions({healthy.topic_prefix + TOPIC: NewPartitions(total_count=3)})
    )
    found = await only_complaint(healthy)
    assert found.state == "broken" and "2 are on record and written, Kafka has 3" in found.says


async def test_an_expired_lease_is_broken_and_says_since_when(house: House, healthy: Deployment) -> None:
    await change(house, "UPDATE lease SET expires_at = clock_timestamp() - interval '90 seconds', holder = 'host:7'")
    found = await only_complaint(healthy)
    assert found.state == "broken" and "since 90 s" in found.says and "host:7 in epoch 1" in found.says


async def test_a_lease_that_expired_just_now_is_only_a_warning(house: House, healthy: Deployment) -> None:
    await change(house, "UPDATE lease SET expires_at = clock_timestamp() - interval '1 second'")
    assert (await only_complaint(healthy)).state == "warning"


async def test_a_relay_that_never_led_is_broken(library: Deployment) -> None:
    findings = await examine(library)
    assert of(findings, "relay lease").state == "broken"
    assert of(findings, f"partitions of {library.topic_prefix}{TOPIC}").state == "warning"


async def test_unsequenced_events_are_a_warning_at_first_and_broken_when_overdue(
    house: House, healthy: Deployment
) -> None:
    await house.store.handle(add("s0", "new"), context())
    await change(house, "UPDATE events SET recorded_at = clock_timestamp() WHERE position IN (TABLE unsequenced)")
    assert (await only_complaint(healthy)).state == "warning"
    await change(
        house,
        "UPDATE events SET recorded_at = recorded_at - interval '2 minutes' WHERE position IN (TABLE unsequenced)",
    )
    found = await only_complaint(healthy)
    assert found.check == "sequencing" and found.state == "broken" and found.says.startswith("1 events")


async def test_what_is_sequenced_and_not_acknowledged_is_found(house: House, healthy: Deployment) -> None:
    await change(house, "UPDATE lease SET cursor = cursor - 3")
    found = await only_complaint(healthy)
    assert found.check == "outbox" and found.state == "broken" and found.says.startswith("3 events")


async def test_a_fold_that_stands_still_is_broken(house: House, healthy: Deployment) -> None:
    async with relaying(house, healthy.brokers):
        await change(house, "UPDATE lease SET expires_at = clock_timestamp() - interval '1 second'")
        await house.store.handle_batch([add("s1", f"later{n}") for n in range(3)], context())
        await eventually(lambda: everything_acknowledged(house))
        findings = await examine(healthy)
    found = of(findings, f"counting on {healthy.topic_prefix}{TOPIC}")
    assert found.state == "broken" and "3 records behind" in found.says and "on 1 partitions" in found.says


async def test_a_fold_that_moves_is_not_broken_however_far_behind(
    house: House, healthy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = await house.rows("SELECT partition, next_offset FROM fold_position")
    await change(house, "UPDATE fold_position SET next_offset = 0")

    async def moving(conn: Any) -> folding.Positions:
        found = await positions(conn)  # and between two looks it moves, as a worker beside us would have it
        await change(house, "UPDATE fold_position SET next_offset = next_offset + 1")
        return found

    positions = folding.positions
    monkeypatch.setattr(folding, "positions", moving)
    found = of(await examine(healthy), f"counting on {healthy.topic_prefix}{TOPIC}")
    behind = sum(int(str(offset)) - 1 for _, offset in ends)
    assert found.state == "ok" and found.says == f"{behind} records behind and moving"


async def test_a_fold_that_moved_while_something_else_was_looked_at_is_not_said_to_move(
    house: House, healthy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    await change(house, "UPDATE fold_position SET next_offset = 0")

    async def slow(*_: object) -> list[Finding]:
        await change(house, "UPDATE fold_position SET next_offset = next_offset + 1")
        return []

    monkeypatch.setattr(examining, "WHOLE_STORE_CHECKS", [slow])
    monkeypatch.setattr(reading, "findings", slow)
    found = of(await examine(healthy), f"counting on {healthy.topic_prefix}{TOPIC}")
    assert found.state == "broken" and f"{BOOKS - 4} records behind and stands still on 2 partitions" in found.says


async def test_kafka_is_asked_after_the_whole_store_was_read(
    healthy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def store(*_: object) -> list[Finding]:
        asked.append("store")
        return []

    async def kafka(deployment: Deployment) -> Cluster:
        asked.append("kafka")
        return await look(deployment)

    monkeypatch.setattr(examining, "WHOLE_STORE_CHECKS", [store])
    monkeypatch.setattr(examining, "look", kafka)
    assert await examine(healthy) and asked == ["store", "kafka"]


async def test_in_haste_the_whole_store_is_not_read(healthy: Deployment) -> None:
    whole, quick = await examine(healthy), await examine(healthy, quick=True)
    left_out = {one.check for one in whole} - {one.check for one in quick}
    assert left_out == {"sequence", "stored types", f"events on {healthy.topic_prefix}{TOPIC}"}


async def test_a_position_above_the_topics_end_is_broken(house: House, healthy: Deployment) -> None:
    await change(house, "UPDATE fold_position SET next_offset = next_offset + 100 WHERE partition = 1")
    found = await only_complaint(healthy)
    assert found.state == "broken" and "partition 1" in found.says and "made anew" in found.says


async def test_a_position_below_the_topics_beginning_is_broken(house: House, healthy: Deployment) -> None:
    topic = healthy.topic_prefix + TOPIC
    [(end,)] = await house.rows("SELECT next_offset FROM fold_position WHERE partition = 0")
    places = {TopicPartition(topic, 0): RecordsToDelete(before_offset=int(str(end)))}
    await with_admin(healthy, lambda admin: admin.delete_records(places))
    await change(house, "UPDATE fold_position SET next_offset = next_offset - 1 WHERE partition = 0")
    findings = await examine(healthy)
    assert f"the topic begins at {end}" in of(findings, f"offsets of counting on {topic}").says
    assert of(findings, f"counting on {topic}").state == "broken"


async def test_a_record_of_a_newer_schema_is_found(house: House, healthy: Deployment) -> None:
    async with AIOKafkaProducer(**healthy.brokers.client()) as producer:
        await producer.send_and_wait(house.prefix + TOPIC, b"not json", partition=0)
    await change(house, "UPDATE fold_position SET next_offset = next_offset + 1 WHERE partition = 0")
    found = await only_complaint(healthy)
    assert found.check == f"schemas on {house.prefix}{TOPIC}" and "1 of 21 records: JSONDecodeError" in found.says


async def test_a_service_that_emits_nothing_needs_no_relay(house: House, healthy: Deployment) -> None:
    await change(house, "DELETE FROM lease")
    findings = await examine(replace(healthy, topics=()))
    assert [one for one in findings if one.state != "ok"] == []
