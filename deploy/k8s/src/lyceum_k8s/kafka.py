"""Topics and users of Kafka, as Strimzi's objects: the topics as the code declares and checks them, the users with no
more rights than their processes use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eventfold.publish.topic_settings import CREATED
from lyceum_k8s.facts import Facts
from lyceum_k8s.objects import KEPT, Object, metadata
from lyceum_tree import host

CLUSTER = "lyceum"
API = "kafka.strimzi.io/v1"
PARTITIONS = 12
"""Of each topic, so at most as many workers of a group of folds. More of them need a new generation of the topic."""
REPLICAS = 3
GENERATIONS = ".g"
"""What a topic's later generations have after its name."""


def topics(services: Sequence[Facts]) -> Iterator[Object]:
    """Every topic that a service emits on. It is not deleted with its object: history is kept."""
    for one in services:
        for topic in one.topics:
            yield {
                "apiVersion": API,
                "kind": "KafkaTopic",
                "metadata": metadata(topic, _labels(one.name), KEPT),
                "spec": {
                    "topicName": topic,
                    "partitions": PARTITIONS,
                    "replicas": REPLICAS,
                    "config": {**CREATED, "min.insync.replicas": "2"},
                },
            }


def users(services: Sequence[Facts]) -> Iterator[Object]:
    """The users: of each service its relay, folds, preparing job and operators; and the one that watches the lag."""
    for one in services:
        own = {*one.topics}
        yield _user(one.name, "relay", [*_on(own, ["Write", "Read", "Describe", "DescribeConfigs"])])
        if one.folds:
            groups = [fold.consumer_group for fold in one.folds]
            yield _user(one.name, "fold", [*_on(one.read, ["Read", "Describe"]), *map(_reads_as, groups)])
        yield _user(one.name, "prepare", [*_on({*own, *one.read}, ["Describe", "DescribeConfigs"])])
        yield _user(one.name, "operator", [*_operates(one)])
    watched = sorted({topic for one in services for topic in one.read})
    groups = [fold.consumer_group for one in services for fold in one.folds]
    yield _user("keda", "lag", [*_on(watched, ["Describe"]), *(_acl("group", name, ["Describe"]) for name in groups)])


def _operates(one: Facts) -> Iterator[Object]:
    """What operators' commands do: make a topic's next generation, fill it, read everything that is folded."""
    yield from _on(one.topics, ["Write", "Read", "Describe", "DescribeConfigs", "AlterConfigs", "Create"])
    yield from _on(one.read, ["Read", "Describe", "DescribeConfigs"])
    yield _acl("group", f"lyceum.{one.name}", ["Read", "Describe", "Delete"], "prefix")


def _on(names: Iterable[str], operations: Sequence[str]) -> Iterator[Object]:
    """Rights on topics and on their later generations."""
    for name in sorted(names):
        yield _acl("topic", name, operations)
        yield _acl("topic", f"{name}{GENERATIONS}", operations, "prefix")


def _reads_as(group: str) -> Object:
    return _acl("group", group, ["Read", "Describe"])


def _acl(kind: str, name: str, operations: Sequence[str], pattern: str = "literal") -> Object:
    return {
        "resource": {"type": kind, "name": name, "patternType": pattern},
        "operations": list(operations),
        "host": "*",
    }


def _user(service: str, role: str, acls: Sequence[Object]) -> Object:
    return {
        "apiVersion": API,
        "kind": "KafkaUser",
        "metadata": metadata(f"{host(service)}-{role}", _labels(service)),
        "spec": {"authentication": {"type": "tls"}, "authorization": {"type": "simple", "acls": list(acls)}},
    }


def _labels(service: str) -> dict[str, str]:
    return {"strimzi.io/cluster": CLUSTER, "app.kubernetes.io/name": service, "app.kubernetes.io/part-of": "lyceum"}
