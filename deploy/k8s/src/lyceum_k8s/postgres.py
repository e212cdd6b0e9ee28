"""A PostgreSQL cluster for each service, as CloudNativePG's objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lyceum_k8s.facts import Facts
from lyceum_k8s.network import ASK_DATABASE, DATABASE_PORT, NAMES
from lyceum_k8s.objects import KEPT, ROLE, SERVICE, Object, metadata
from lyceum_tree import host

API = "postgresql.cnpg.io/v1"
POSTGRES_IMAGE = "ghcr.io/cloudnative-pg/postgresql:18.1-system-trixie"
PLUGIN, STORE = "barman-cloud.cloudnative-pg.io", "lyceum-backups"
INSTANCES = 3
MAX_CONNECTIONS = 300
"""Ten servers with 10 connections each, twelve workers of each of five groups with 5, relays and operators."""


def name(service: str) -> str:
    """The name of a service's cluster."""
    return f"{host(service)}-database"


def cluster(one: Facts) -> Object:
    """Three instances, of which a commit waits for one other: a failover loses nothing that was answered."""
    return {
        "apiVersion": API,
        "kind": "Cluster",
        "metadata": metadata(name(one.name), _labels(one.name), KEPT),
        "spec": {
            "instances": INSTANCES,
            "imageName": POSTGRES_IMAGE,
            "enableSuperuserAccess": False,
            "enablePDB": True,
            "primaryUpdateMethod": "switchover",
            "bootstrap": {"initdb": {"database": one.name, "owner": one.name, "dataChecksums": True}},
            "postgresql": {
                "synchronous": {"method": "any", "number": 1, "dataDurability": "required"},
                "parameters": {
                    "max_connections": str(MAX_CONNECTIONS),
                    "shared_buffers": "512MB",
                    "random_page_cost": "1.1",
                    "idle_in_transaction_session_timeout": "60s",
                    "log_min_duration_statement": "1000",
                    "log_parameter_max_length": "0",
                    "log_parameter_max_length_on_error": "0",
                },
            },
            "storage": {"size": "50Gi", "resizeInUseVolumes": True},
            "walStorage": {"size": "10Gi"},
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "256Mi"},
                "limits": {"memory": "2Gi", "ephemeral-storage": "1Gi"},
            },
            "affinity": {"enablePodAntiAffinity": True, "topologyKey": "kubernetes.io/hostname"},
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"cnpg.io/cluster": name(one.name)}},
                }
            ],
        },
    }


def scheduled_backup(one: Facts, minute: int) -> Object:
    """A base backup every night; the WAL goes to the object store all the time. CloudNativePG's schedules begin with
    the seconds."""
    return {
        "apiVersion": API,
        "kind": "ScheduledBackup",
        "metadata": metadata(name(one.name), _labels(one.name)),
        "spec": {
            "schedule": f"0 {minute} 2 * * *",
            "backupOwnerReference": "self",
            "cluster": {"name": name(one.name)},
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
        },
    }


def from_backup(one: Facts) -> Sequence[Object]:
    """The changes to a cluster that make it begin from its backup, at the moment of the overlay's ConfigMap `restore`.
    Its own backups then go to a folder of their own: an archive belongs to one timeline."""
    archive = {"name": PLUGIN, "parameters": {"barmanObjectName": STORE, "serverName": name(one.name)}}
    recovery = {"source": "before", "database": one.name, "owner": one.name, "recoveryTarget": {"targetTime": "unset"}}
    own = {"barmanObjectName": STORE, "serverName": f"{name(one.name)}-restored"}
    return [
        {"op": "replace", "path": "/spec/bootstrap", "value": {"recovery": recovery}},
        {"op": "add", "path": "/spec/externalClusters", "value": [{"name": "before", "plugin": archive}]},
        {
            "op": "add",
            "path": "/spec/plugins",
            "value": [{"name": PLUGIN, "isWALArchiver": True, "parameters": own}],
        },
    ]


def pooler(one: Facts) -> Object:
    """PgBouncer before the primary, by session: the services set their sessions up, which pooling by transaction would
    mix."""
    return {
        "apiVersion": API,
        "kind": "Pooler",
        "metadata": metadata(f"{name(one.name)}-pooler", _labels(one.name)),
        "spec": {
            "cluster": {"name": name(one.name)},
            "instances": 2,
            "type": "rw",
            "pgbouncer": {
                "poolMode": "session",
                "parameters": {
                    "max_client_conn": "1000",
                    "default_pool_size": "200",
                    "server_idle_timeout": "60",
                    "ignore_startup_parameters": "extra_float_digits",
                },
            },
            "template": {
                "metadata": {"labels": {SERVICE: one.name, "cnpg.io/poolerName": f"{name(one.name)}-pooler"}},
                "spec": {
                    "containers": [
                        {
                            "name": "pgbouncer",
                            "resources": {
                                "requests": {"cpu": "100m", "memory": "64Mi"},
                                "limits": {"memory": "128Mi"},
                            },
                        }
                    ]
                },
            },
        },
    }


def policies(services: Sequence[Facts]) -> Iterator[Object]:
    """Who may reach each database: its own service, its own instances, and the operator."""
    for one in services:
        own = {"podSelector": {"matchLabels": {"cnpg.io/cluster": name(one.name)}}}
        service = {
            "podSelector": {
                "matchLabels": {SERVICE: one.name},
                "matchExpressions": [{"key": ROLE, "operator": "In", "values": list(ASK_DATABASE)}],
            }
        }
        operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "cnpg-system"}}}
        yield {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(f"{name(one.name)}-callers", _labels(one.name)),
            "spec": {
                "podSelector": {"matchLabels": {"cnpg.io/cluster": name(one.name)}},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [
                    {"from": [service, own, operator], "ports": _ports(DATABASE_PORT)},
                    {"from": [own, operator], "ports": _ports(8000)},
                ],
                "egress": [
                    {"to": [own], "ports": _ports(DATABASE_PORT, 8000)},
                    NAMES,
                    # The instance manager follows its own objects on the API server, which has no pods to name.
                    {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": _ports(443, 6443)},
                ],
            },
        }


def pooler_policies(services: Sequence[Facts]) -> Iterator[Object]:
    """Before each pooler its service, behind it the database; the processes then go to the pooler, too."""
    for one in services:
        here = {"podSelector": {"matchLabels": {"cnpg.io/poolerName": f"{name(one.name)}-pooler"}}}
        own = {"podSelector": {"matchLabels": {"cnpg.io/cluster": name(one.name)}}}
        callers: Object = {
            "matchLabels": {SERVICE: one.name},
            "matchExpressions": [{"key": ROLE, "operator": "In", "values": list(ASK_DATABASE)}],
        }
        ports = _ports(DATABASE_PORT)
        yield _policy(one, "pooler", here["podSelector"], [{"from": [{"podSelector": callers}], "ports": ports}], [own])
        yield _policy(one, "pooler-callers", callers, [], [here])
        yield _policy(one, "behind-pooler", own["podSelector"], [{"from": [here], "ports": ports}], [])


def _policy(one: Facts, what: str, pods: Object, ingress: Sequence[Object], egress_to: Sequence[Object]) -> Object:
    spec: Object = {"podSelector": pods, "policyTypes": []}
    if ingress:
        spec["policyTypes"].append("Ingress")
        spec["ingress"] = list(ingress)
    if egress_to:
        spec["policyTypes"].append("Egress")
        spec["egress"] = [{"to": list(egress_to), "ports": _ports(DATABASE_PORT)}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(f"{name(one.name)}-{what}", _labels(one.name)),
        "spec": spec,
    }


def _ports(*numbers: int) -> list[Object]:
    return [{"protocol": "TCP", "port": number} for number in numbers]


def _labels(service: str) -> dict[str, str]:
    return {SERVICE: service, "app.kubernetes.io/component": "database", "app.kubernetes.io/part-of": "lyceum"}
