"""The workloads of a service: its server, relay, folds, further roles, and its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lyceum_k8s.facts import Facts, Fold
from lyceum_k8s.objects import (
    GRPC_PORT,
    HEALTH_PORT,
    KEPT,
    METRICS_PORT,
    ROLE,
    SERVICE,
    SETTINGS,
    VERSION,
    VERSION_IN_NAMES,
    WORKLOAD,
    Mount,
    Object,
    Process,
    account,
    deployment,
    disruption_budget,
    labels,
    metadata,
    pod,
    secret,
    selector,
    shared_volume,
    spread,
)
from lyceum_k8s.sizes import size
from lyceum_tree import host

DRAIN_NOTICE_S = 5
"""A server's own: how long it says that it is not ready, and still serves."""
SERVER_LOOKS_AWAY_S = 10
"""Before that: as long as names and routers take to drop a pod (5 s of DNS, 5 s of the gateway)."""
SERVER_GRACE_S = SERVER_LOOKS_AWAY_S + DRAIN_NOTICE_S + 25
WORKER_GRACE_S = 30
PREPARE_WITHIN_S = 1800
DOCTOR_WITHIN_S = 600
ENDED_JOBS_KEPT_S = 7 * 86_400
RELAYS = 2
"""One leads; the other takes over within the lease's 3 seconds."""
HAS_KEYS = ("server", "fold", "further", "ops", "doctor")
"""Roles that seal or open fields, or sign."""
HAS_KAFKA = ("relay", "fold", "prepare", "ops", "doctor")
KAFKA_USER = {"relay": "relay", "fold": "fold", "prepare": "prepare", "ops": "operator", "doctor": "operator"}
DATABASE_SECRET = {"DATABASE_USER": "username", "DATABASE_PASSWORD": "password", "DATABASE_NAME": "dbname"}


def image(service: str) -> str:
    """The image of a service, whose name and tag an overlay sets."""
    return f"lyceum/{service}:{VERSION}"


def prepare_name(service: str) -> str:
    """The job that migrates the service's database and checks its topics; its last part is the release's version."""
    return f"{service}-prepare-{VERSION_IN_NAMES}"


def server(facts: Facts) -> Iterator[Object]:
    """The gRPC server, and the name under which the gateway and the other services find each of its replicas."""
    told = labels(facts.name, "server", f"{facts.host}-server")
    yield account(told)
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(facts.host, told),
        "spec": {
            "clusterIP": "None",  # every replica is found: a connection of gRPC stays with the one that it was made to
            "selector": {WORKLOAD: told[WORKLOAD]},
            "ports": [{"name": "grpc", "port": GRPC_PORT, "targetPort": "grpc", "appProtocol": "grpc"}],
        },
    }
    yield _deployment(facts, told, "serve", 2, SERVER_GRACE_S, {"grpc": GRPC_PORT}, notice_s=SERVER_LOOKS_AWAY_S)
    yield disruption_budget(told)


def relay(facts: Facts) -> Iterator[Object]:
    """The relay: one leads by a lease in the database, another stands by."""
    told = labels(facts.name, "relay", f"{facts.host}-relay")
    yield account(told)
    yield _deployment(facts, told, "relay", RELAYS, WORKER_GRACE_S, {})
    yield disruption_budget(told)


def further(facts: Facts, role: str) -> Iterator[Object]:
    """A further role of the service: one process, which is never there twice."""
    told = labels(facts.name, "further", f"{facts.host}-{host(role)}")
    yield account(told)
    made = _deployment(facts, told, role, 1, WORKER_GRACE_S, {})
    made["spec"]["strategy"] = {"type": "Recreate"}
    yield made
    yield disruption_budget(told)


def fold(facts: Facts, group: Fold) -> Iterator[Object]:
    """The workers of a group of folds. Each pod is a member of its consumer group under its own name, so a restart
    shorter than the session's time-out moves no partition."""
    told = labels(facts.name, "fold", f"{facts.host}-fold-{group.host}")
    variables: list[Object] = [
        {"name": "FOLD_GROUPS", "value": group.name},
        {"name": "GROUP_INSTANCE_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    yield account(told)
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(told[WORKLOAD], told),
        "spec": {
            "clusterIP": "None",
            "selector": {WORKLOAD: told[WORKLOAD]},
            "ports": [{"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics"}],
        },
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(told[WORKLOAD], told),
        "spec": {
            "replicas": 1,
            "serviceName": told[WORKLOAD],
            "podManagementPolicy": "Parallel",
            "revisionHistoryLimit": 5,
            "selector": selector(told[WORKLOAD]),
            "template": pod(
                _process(facts, told, "work", {}, variables),
                told,
                WORKER_GRACE_S,
                topologySpreadConstraints=spread(told[WORKLOAD]),
            ),
        },
    }
    yield disruption_budget(told)


def prepare(facts: Facts) -> Iterator[Object]:
    """The job before a roll-out: it migrates the database forward and checks the topics; safe to repeat."""
    told = labels(facts.name, "prepare", f"{facts.host}-prepare")
    yield account(told)
    process = _process(facts, told, "prepare", None, ())
    yield {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(
            prepare_name(facts.host),
            told,
            {
                "argocd.argoproj.io/hook": "PreSync",
                "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
            },
        ),
        "spec": _job_spec(process, told, PREPARE_WITHIN_S, retries=6),
    }


def doctor(facts: Facts) -> Iterator[Object]:
    """Compares store, topics and read tables every night, and fails if something does not agree."""
    told = labels(facts.name, "doctor", f"{facts.host}-doctor")
    yield account(told)
    process = _process(facts, told, "doctor", None, (), _eventfold(facts.name), ("doctor",))
    yield {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(told[WORKLOAD], told),
        "spec": {
            "schedule": "17 3 * * *",
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": dict(told)},
                "spec": _job_spec(process, told, DOCTOR_WITHIN_S, retries=1),
            },
        },
    }


def ops(facts: Facts) -> Iterator[Object]:
    """A place to run operators' commands in, with the service's settings, keys and Kafka rights: scaled to 0 until
    somebody needs it."""
    told = labels(facts.name, "ops", f"{facts.host}-ops")
    yield account(told)
    process = _process(facts, told, "ops", None, (), ("sleep", "infinity"), ())
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(told[WORKLOAD], told),
        "spec": {
            "replicas": 0,
            "revisionHistoryLimit": 2,
            "selector": selector(told[WORKLOAD]),
            "template": pod(process, told, 5),
        },
    }


def keys(facts: Facts) -> Object:
    """The volume of the service's keys. All its processes share it, on whatever machine they run; without it what was
    sealed is lost."""
    told = {SERVICE: facts.name, "app.kubernetes.io/part-of": "lyceum", ROLE: "keys"}
    return shared_volume(f"{facts.host}-keys", told, KEPT)


def _eventfold(service: str) -> tuple[str, ...]:
    return ("eventfold", "--app", f"{service}.bootstrap:deployment")


def _deployment(
    facts: Facts,
    told: Mapping[str, str],
    role: str,
    replicas: int,
    grace_s: int,
    ports: Mapping[str, int],
    notice_s: int = 0,
) -> Object:
    process = _process(facts, told, role, ports, (), notice_s=notice_s)
    spread_out = spread(told[WORKLOAD])
    return deployment(told, replicas, pod(process, told, grace_s, topologySpreadConstraints=spread_out))


def _job_spec(process: Process, told: Mapping[str, str], within_s: int, retries: int) -> Object:
    return {
        "backoffLimit": retries,
        "activeDeadlineSeconds": within_s,
        "ttlSecondsAfterFinished": ENDED_JOBS_KEPT_S,
        "template": pod(process, told, WORKER_GRACE_S, restartPolicy="Never"),
    }


def _process(
    facts: Facts,
    told: Mapping[str, str],
    command: str,
    ports: Mapping[str, int] | None,
    variables: tuple[Object, ...] | list[Object],
    entrypoint: tuple[str, ...] = (),
    args: tuple[str, ...] | None = None,
    notice_s: int = 0,
) -> Process:
    """A process of the service. Without `ports` it is a job: nothing asks for its health."""
    role = told[ROLE]
    serves = ports is not None
    return Process(
        name=role,
        image=image(facts.name),
        size=size(facts.name, role),
        command=entrypoint,
        args=(command,) if args is None else args,
        ports={**(ports or {}), "health": HEALTH_PORT, "metrics": METRICS_PORT} if serves else {},
        settings=(SETTINGS, f"{facts.host}-settings"),
        variables=[*_environment(facts.host, role, serves), *variables],
        mounts=list(_mounts(facts.host, role)),
        probes=_probes(role) if serves else {},
        notice_s=notice_s,
    )


def _environment(service: str, role: str, serves: bool) -> Iterator[Object]:
    for variable, key in DATABASE_SECRET.items():
        yield {"name": variable, "valueFrom": {"secretKeyRef": {"name": f"{service}-database-app", "key": key}}}
    host = {"configMapKeyRef": {"name": f"{service}-settings", "key": "DATABASE_HOST"}}
    yield {"name": "DATABASE_HOST", "valueFrom": host}
    yield {
        "name": "DATABASE_URL",
        "value": "postgresql://$(DATABASE_USER):$(DATABASE_PASSWORD)@$(DATABASE_HOST):5432/$(DATABASE_NAME)",
    }
    yield {"name": "GRPC_PORT", "value": str(GRPC_PORT if role == "server" else 0)}
    yield {"name": "METRICS_PORT", "value": str(METRICS_PORT if serves else 0)}
    yield {"name": "HEALTH_PORT", "value": str(HEALTH_PORT if serves else 0)}
    yield {"name": "KEY_DIR", "value": "/keys"}


def _mounts(service: str, role: str) -> Iterator[Mount]:
    if role in HAS_KEYS:
        yield Mount("keys", "/keys", {"persistentVolumeClaim": {"claimName": f"{service}-keys"}}, read_only=False)
    yield secret("database-ca", "/database-ca", f"{service}-database-ca")
    yield secret("tls", "/tls", f"{service}-tls")
    if role in HAS_KAFKA:
        yield Mount("kafka-tls", "/kafka-tls", _kafka_tls(f"{service}-{KAFKA_USER[role]}"))


def _kafka_tls(user: str) -> Object:
    """The user's certificate with the authority of the brokers, under the names that the services know."""
    own = [{"key": "user.crt", "path": "tls.crt"}, {"key": "user.key", "path": "tls.key"}]
    brokers = [{"key": "ca.crt", "path": "ca.crt"}]
    return {
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"secret": {"name": user, "optional": True, "items": own}},
                {"secret": {"name": "lyceum-kafka-cluster-ca-cert", "optional": True, "items": brokers}},
            ],
        }
    }


def _probes(role: str) -> dict[str, Object]:
    """Ready as the process itself says. Alive while it makes progress: a process whose loop stands, or whose position
    stands while work waits, is started again."""
    ready: Object = {"grpc": {"port": HEALTH_PORT}}
    live: Object = {"grpc": {"port": HEALTH_PORT, "service": "live"}}
    every_s = 5 if role == "server" else 10
    return {
        "startupProbe": {**live, "periodSeconds": 2, "failureThreshold": 90, "timeoutSeconds": 3},
        "readinessProbe": {**ready, "periodSeconds": every_s, "failureThreshold": 2, "timeoutSeconds": 3},
        "livenessProbe": {**live, "periodSeconds": 15, "failureThreshold": 4, "timeoutSeconds": 5},
    }
