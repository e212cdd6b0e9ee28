"""Checks of the topics: they keep their history, are as declared, and are the ones that the relay knows."""

from __future__ import annotations

from eventfold import Connection
from eventfold.publish.generations import current_names, logical
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.cluster import Cluster, Topic
from eventfold_ops.doctor.finding import Finding, broken, ok, warning
from eventfold_ops.output import age


def shapes(deployment: Deployment, cluster: Cluster) -> list[Finding]:
    """For each topic: it exists, is not compacted, is kept, and is replicated as declared."""
    own = {deployment.topic_prefix + topic for topic in deployment.topics}
    return [
        _shape(f"topic {name}", cluster.topics.get(name), deployment.topic_replication if logical(name) in own else 0)
        for name in cluster.newest(deployment)
    ]


def _shape(check: str, topic: Topic | None, replication: int) -> Finding:
    if topic is None:
        return broken(check, "does not exist", "run the emitting service's `prepare`; restore it if it was lost")
    if "compact" in topic.cleanup_policy:
        return broken(check, "is compacted, which deletes history", "set cleanup.policy=delete, then restore what went")
    if topic.replicas < replication:
        says = f"has {topic.replicas} replicas, declared are {replication}"
        return warning(check, says, "reassign its partitions to more brokers")
    if topic.retention_ms >= 0:
        kept = age(topic.retention_ms / 1000)
        return warning(check, f"keeps records for {kept} only", "set retention.ms=-1, or rebuild from the store")
    if topic.retention_bytes >= 0:
        says = f"keeps {topic.retention_bytes:,} bytes of each partition only"
        return warning(check, says, "set retention.bytes=-1, or rebuild from the store")
    return ok(check, f"{topic.partitions} partitions, {topic.replicas} replicas, kept for ever")


async def heads(conn: Connection, deployment: Deployment, cluster: Cluster) -> list[Finding]:
    """Whether the relay's partition counts, which consistency tokens use, equal Kafka's."""
    cursor = await conn.execute("SELECT topic, count(*) FROM relay_head GROUP BY topic")
    known = dict(await cursor.fetchall())
    sent = await current_names(conn, [deployment.topic_prefix + topic for topic in deployment.topics])
    return [
        _head(f"partitions of {name}", known.get(name, 0), cluster.topics[name].partitions)
        for name in sorted(sent.values())
        if name in cluster.topics
    ]


def _head(check: str, known: int, existing: int) -> Finding:
    if known == existing:
        return ok(check, f"the relay knows all {existing}")
    if known == 0:
        return warning(check, "no relay has led since the topic is declared", "start the service's relay")
    says = f"{known} are on record and written, Kafka has {existing}: other tools have added some"
    return broken(check, says, f"run `replay` for the topic with --partitions {existing}: its readers cross over")
