"""Scaling: servers by their processors, workers of folds by their lag."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lyceum_k8s.facts import Facts, Fold
from lyceum_k8s.kafka import PARTITIONS
from lyceum_k8s.objects import Object, labels, metadata

SERVERS_AT_LEAST, SERVERS_AT_MOST = 2, 10
PROCESSOR_PERCENT = 70
LAG_A_WORKER = 20_000
"""Records that one worker folds in some two seconds (docs/benchmarks.md): lag that lasts longer calls for another."""
LAG_TO_WAKE = 100
STOP_THE_WORLD_S = 300
"""How long the lag must have been low before a worker is taken away: a group stands still at each change."""
KAFKA = "lyceum-kafka-bootstrap:9093"


def server(one: Facts) -> Object:
    """Servers by processor use; quickly up, slowly down."""
    return autoscaler("Deployment", one.name, f"{one.host}-server", SERVERS_AT_LEAST, SERVERS_AT_MOST)


def edge() -> Iterator[Object]:
    """The gateway and the pages, likewise."""
    yield autoscaler("Deployment", "gateway", "gateway", SERVERS_AT_LEAST, SERVERS_AT_MOST)
    yield autoscaler("Deployment", "web", "web", SERVERS_AT_LEAST, 4)


def autoscaler(kind: str, service: str, workload: str, least: int, most: int) -> Object:
    """A HorizontalPodAutoscaler by processor use."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(workload, labels(service, "server", workload)),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": workload},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": PROCESSOR_PERCENT},
                    },
                }
            ],
            "behavior": {
                "scaleUp": {"stabilizationWindowSeconds": 0},
                "scaleDown": {
                    "stabilizationWindowSeconds": 300,
                    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
                },
            },
        },
    }


def fold(one: Facts, group: Fold) -> Object:
    """Workers of a group by the lag of its topics; never more than there are partitions, and never none: an idle group
    keeps its place."""
    workload = f"{one.host}-fold-{group.host}"
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(workload, labels(one.name, "fold", workload)),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": workload},
            "minReplicaCount": 1,
            "maxReplicaCount": PARTITIONS,
            "pollingInterval": 15,
            "cooldownPeriod": STOP_THE_WORLD_S,
            "advanced": {
                "horizontalPodAutoscalerConfig": {
                    "behavior": {
                        "scaleUp": {"stabilizationWindowSeconds": 30},
                        "scaleDown": {
                            "stabilizationWindowSeconds": STOP_THE_WORLD_S,
                            "policies": [{"type": "Pods", "value": 1, "periodSeconds": STOP_THE_WORLD_S}],
                        },
                    }
                }
            },
            "triggers": [_trigger(group, topic) for topic in group.topics],
        },
    }


def _trigger(group: Fold, topic: str) -> Object:
    return {
        "type": "kafka",
        "metadata": {
            "bootstrapServers": KAFKA,
            "consumerGroup": group.consumer_group,
            "topic": topic,
            "lagThreshold": str(LAG_A_WORKER),
            "activationLagThreshold": str(LAG_TO_WAKE),
            "offsetResetPolicy": "earliest",
            "allowIdleConsumers": "false",
            "excludePersistentLag": "true",
            "limitToPartitionsWithLag": "true",
            "tls": "enable",
        },
        "authenticationRef": {"name": "kafka-lag"},
    }


def authentication() -> Object:
    """How KEDA shows itself to Kafka: by the certificate of a user that may describe, and nothing else."""
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": metadata("kafka-lag", {"app.kubernetes.io/part-of": "lyceum"}),
        "spec": {
            "secretTargetRef": [
                {"parameter": "ca", "name": "lyceum-kafka-cluster-ca-cert", "key": "ca.crt"},
                {"parameter": "cert", "name": "keda-lag", "key": "user.crt"},
                {"parameter": "key", "name": "keda-lag", "key": "user.key"},
            ]
        },
    }


def all_of(services: Sequence[Facts]) -> Iterator[Object]:
    """Every scaled object, with how KEDA authenticates."""
    yield authentication()
    for one in services:
        yield from (fold(one, group) for group in one.folds)
