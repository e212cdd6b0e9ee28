"""Checks the schemas on the topics: this build can decode the latest records."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from eventfold.fold.crossing import closes
from eventfold.publish.witness import opens
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.cluster import Cluster, consumer_of
from eventfold_ops.doctor.finding import Finding, broken, ok, warning

LAST_RECORDS = 50
"""Number of last records read on each partition."""
READ_S = 20.0


async def findings(deployment: Deployment, cluster: Cluster) -> list[Finding]:
    """Whether the last records of every topic can be decoded. Reads at most `LAST_RECORDS` per partition, for at most
    `READ_S`."""
    filled = [name for name in cluster.newest(deployment) if _any(cluster, name)]
    if not filled:
        return [ok("schemas", "nothing was sent yet")]
    try:
        async with asyncio.timeout(READ_S), consumer_of(deployment) as consumer:
            return [await _topic(deployment, cluster, consumer, name) for name in filled]
    except TimeoutError:
        return [warning("schemas", f"the topics were not read within {READ_S:.0f} s", "look at Kafka, then again")]


def _any(cluster: Cluster, topic: str) -> bool:
    return any(cluster.ends[place] > cluster.begins[place] for place in cluster.places(topic))


async def _topic(deployment: Deployment, cluster: Cluster, consumer: AIOKafkaConsumer, topic: str) -> Finding:
    records = await _last(consumer, cluster, cluster.places(topic))
    failures = Counter(text for record in records if (text := _undecodable(deployment, record.value or b"")))
    check = f"schemas on {topic}"
    if failures:
        says = "; ".join(f"{count} of {len(records)} records: {text}" for text, count in sorted(failures.items()))
        return broken(check, says, "deploy the build that carries the schema: readers come before writers")
    return ok(check, f"the last {len(records)} records are readable")


async def _last(consumer: AIOKafkaConsumer, cluster: Cluster, places: Sequence[TopicPartition]) -> list[Any]:
    """The newest records of these partitions, up to the ends that `cluster` knows."""
    filled = [place for place in places if cluster.ends[place] > cluster.begins[place]]
    consumer.assign(filled)
    for place in filled:
        consumer.seek(place, max(cluster.begins[place], cluster.ends[place] - LAST_RECORDS))
    records: list[Any] = []
    while any([await consumer.position(place) < cluster.ends[place] for place in filled]):
        for batch in (await consumer.getmany(timeout_ms=200)).values():
            records.extend(one for one in batch if not (opens(one) or closes(one)))  # control records are JSON
    return records


def _undecodable(deployment: Deployment, value: bytes) -> str:
    try:
        deployment.avro.decode(value)
    except Exception as failure:  # noqa: BLE001 - whatever a codec raises is the finding
        return f"{type(failure).__name__}: {failure}"
    return ""
