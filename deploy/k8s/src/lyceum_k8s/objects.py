"""The shapes that all objects share: names, labels, pods and containers that keep the house's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lyceum_k8s.sizes import Size

Object = dict[str, Any]

GRPC_PORT, METRICS_PORT, HEALTH_PORT = 50051, 9464, 50052
USER = 10001
SETTINGS = "lyceum-settings"
VERSION, VERSION_IN_NAMES = "0.0.0", "release"
"""Of the images in the base; an overlay's `release.env` puts the release's in its place."""
PART_OF = "lyceum"
WORKLOAD = "lyceum.io/workload"
ROLE = "lyceum.io/role"
SERVICE = "app.kubernetes.io/name"
TMP_MIB = 64
KEPT = {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}
"""For what holds data: a delivery tool must not delete it."""


def labels(service: str, role: str, workload: str) -> dict[str, str]:
    """The labels of a workload, its pods and what belongs to it."""
    return {
        SERVICE: service,
        "app.kubernetes.io/component": role,
        "app.kubernetes.io/part-of": PART_OF,
        ROLE: role,
        WORKLOAD: workload,
    }


def selector(workload: str) -> Object:
    """What selects the pods of a workload."""
    return {"matchLabels": {WORKLOAD: workload}}


def metadata(name: str, told: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> Object:
    """Name, labels and, where there are any, annotations."""
    made: Object = {"name": name, "labels": dict(told)}
    return made | {"annotations": dict(annotations)} if annotations else made


@dataclass(frozen=True)
class Mount:
    """A volume with the place at which it is mounted."""

    name: str
    path: str
    source: Object
    read_only: bool = True

    def mounted(self) -> Object:
        """As an entry of `volumeMounts`."""
        place: Object = {"name": self.name, "mountPath": self.path}
        return place | {"readOnly": True} if self.read_only else place

    def volume(self) -> Object:
        """As an entry of `volumes`."""
        return {"name": self.name, **self.source}


def secret(name: str, path: str, secret_name: str) -> Mount:
    """A secret that need not exist: whether it is used a setting says, and a process that misses it then refuses to
    start."""
    return Mount(name, path, {"secret": {"secretName": secret_name, "optional": True, "defaultMode": 0o440}})


TMP = Mount("tmp", "/tmp", {"emptyDir": {"sizeLimit": f"{TMP_MIB}Mi"}}, read_only=False)  # noqa: S108 - a mount


@dataclass(frozen=True)
class Process:
    """One container: its image and arguments, ports by name, environment and probes."""

    name: str
    image: str
    size: Size
    args: Sequence[str] = ()
    command: Sequence[str] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    settings: Sequence[str] = ()
    variables: Sequence[Object] = ()
    mounts: Sequence[Mount] = ()
    probes: Mapping[str, Object] = field(default_factory=dict)
    notice_s: int = 0
    """How long it serves on after the pod was told to end and before the process is: routers look elsewhere by then."""

    def container(self) -> Object:
        """As an entry of `containers`."""
        mounts = [TMP, *self.mounts]
        made: Object = {"name": self.name, "image": self.image, "imagePullPolicy": "IfNotPresent"}
        made |= {"command": list(self.command)} if self.command else {}
        made |= {"args": list(self.args)} if self.args else {}
        made |= {"envFrom": [{"configMapRef": {"name": name}} for name in self.settings]} if self.settings else {}
        made |= {"env": list(self.variables)} if self.variables else {}
        made |= {"ports": [{"name": name, "containerPort": port} for name, port in self.ports.items()]}
        made |= self.probes
        made |= {"lifecycle": {"preStop": {"sleep": {"seconds": self.notice_s}}}} if self.notice_s else {}
        return made | {
            "resources": self.size.resources(),
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [one.mounted() for one in mounts],
        }


def pod(process: Process, told: Mapping[str, str], grace_s: int, **more: Any) -> Object:
    """A pod's template with this one process, within the restricted Pod Security Standard and without a token."""
    return {
        "metadata": {"labels": dict(told)},
        "spec": {
            "serviceAccountName": told[WORKLOAD],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": grace_s,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [process.container()],
            "volumes": [one.volume() for one in (TMP, *process.mounts)],
            **more,
        },
    }


def spread(workload: str) -> list[Object]:
    """Replicas go to different zones and machines where there are any."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": selector(workload),
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def deployment(told: Mapping[str, str], replicas: int, template: Object) -> Object:
    """A Deployment that is replaced pod by pod, each new one ready before an old one goes."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(told[WORKLOAD], told),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 5,
            "minReadySeconds": 5,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": selector(told[WORKLOAD]),
            "template": template,
        },
    }


def shared_volume(name: str, told: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> Object:
    """A small volume that pods on many machines read and write: for keys."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(name, told, annotations),
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "64Mi"}}},
    }


def account(told: Mapping[str, str]) -> Object:
    """The service account of a workload; it has no rights, and its token is mounted nowhere."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(told[WORKLOAD], told),
        "automountServiceAccountToken": False,
    }


def disruption_budget(told: Mapping[str, str]) -> Object:
    """At most one pod at a time is taken away on purpose."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(told[WORKLOAD], told),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": selector(told[WORKLOAD]),
        },
    }
