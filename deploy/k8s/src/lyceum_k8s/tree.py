"""Every generated file below deploy/k8s with its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import yaml

from lyceum_k8s import (
    alerts,
    certificates,
    dashboards,
    edge,
    external,
    kafka,
    network,
    postgres,
    scaling,
    settings,
    workloads,
)
from lyceum_k8s.facts import Facts, facts
from lyceum_k8s.objects import SETTINGS, Object
from lyceum_tree.written import Plain

HEADER = "# Written by `make k8s`: change what it follows from, not this file.\n"
MIDNIGHT_STEP_MIN = 10
"""Minutes between the nightly backups of two services."""


def files() -> Mapping[str, str]:
    """Every generated file, by its path below deploy/k8s."""
    services = list(facts().values())
    return dict([*_base(services), *_components(services)])


def _base(services: Sequence[Facts]) -> Iterator[tuple[str, str]]:
    yield "base/settings.env", HEADER + settings.file(settings.common(services))
    yield "base/network.yaml", _yaml(network.policies(services))
    yield from _folder(
        "base/gateway",
        {"gateway": edge.gateway()},
        {"gateway-settings": settings.gateway()},
    )
    yield from _folder("base/web", {"web": edge.web()}, {"web-settings": settings.web()})
    for one in services:
        yield from _folder(f"base/{one.host}", _workloads(one), {f"{one.host}-settings": settings.own(one)})
    yield (
        "base/kustomization.yaml",
        _kustomization(
            ["namespace.yaml", "network.yaml", *(one.host for one in services), "gateway", "web"],
            {SETTINGS: "settings.env"},
        ),
    )


def _workloads(one: Facts) -> Mapping[str, Iterable[Object]]:
    """The files of a service, each with the objects of one workload."""
    made: dict[str, Iterable[Object]] = {"server": workloads.server(one)}
    if one.topics:
        made["relay"] = workloads.relay(one)
    made |= {f"fold-{group.host}": workloads.fold(one, group) for group in one.folds}
    made |= {role: workloads.further(one, role) for role in one.further}
    return made | {
        "prepare": workloads.prepare(one),
        "doctor": workloads.doctor(one),
        "ops": workloads.ops(one),
        "keys": [workloads.keys(one)],
    }


def _components(services: Sequence[Facts]) -> Iterator[tuple[str, str]]:
    yield "components/kafka/topics.yaml", _yaml(kafka.topics(services))
    yield "components/kafka/users.yaml", _yaml(kafka.users(services))
    yield "components/postgres/clusters.yaml", _yaml(map(postgres.cluster, services))
    yield "components/postgres/network.yaml", _yaml(postgres.policies(services))
    yield (
        "components/backups/backups.yaml",
        _yaml(postgres.scheduled_backup(one, place * MIDNIGHT_STEP_MIN) for place, one in enumerate(services)),
    )
    yield "components/restore/kustomization.yaml", _yaml([_restore(services)])
    yield "components/poolers/poolers.yaml", _yaml(map(postgres.pooler, services))
    yield "components/poolers/network.yaml", _yaml(postgres.pooler_policies(services))
    yield (
        "components/poolers/kustomization.yaml",
        _component(
            ["poolers.yaml", "network.yaml"],
            {f"{one.host}-settings": {"DATABASE_HOST": f"{postgres.name(one.name)}-pooler"} for one in services},
        ),
    )
    yield "components/scaling/servers.yaml", _yaml([*map(scaling.server, services), *scaling.edge()])
    yield "components/scaling/folds.yaml", _yaml(scaling.all_of(services))
    yield "components/monitoring/rules.yaml", _yaml([alerts.rules(services)])
    yield "components/monitoring/dashboards.yaml", _yaml(dashboards.config_maps())
    names = [one.host for one in services]
    yield "components/mtls/certificates.yaml", _yaml(map(certificates.certificate, [*names, "gateway"]))
    yield "components/external-secrets/databases.yaml", _yaml(map(external.database, names))


def _folder(
    path: str, parts: Mapping[str, Iterable[Object]], told: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, str]]:
    for name, objects in parts.items():
        yield f"{path}/{name}.yaml", _yaml(objects)
    for values in told.values():
        yield f"{path}/settings.env", HEADER + settings.file(values)
    yield (
        f"{path}/kustomization.yaml",
        _kustomization([f"{name}.yaml" for name in parts], dict.fromkeys(told, "settings.env")),
    )


def _kustomization(resources: Sequence[str], told: Mapping[str, str]) -> str:
    return _yaml(
        [
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": list(resources),
                "configMapGenerator": [{"name": name, "envs": [file]} for name, file in told.items()],
            }
        ]
    )


def _restore(services: Sequence[Facts]) -> Object:
    """After `backups`: every cluster as of one moment, the overlay's own."""
    cluster = {"group": "postgresql.cnpg.io", "kind": "Cluster"}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": [
            {"target": {**cluster, "name": postgres.name(one.name)}, "patch": _dumped(postgres.from_backup(one))}
            for one in services
        ],
        "replacements": [
            {
                "source": {"kind": "ConfigMap", "name": "restore", "fieldPath": "data.RESTORE_TO"},
                "targets": [
                    {
                        "select": cluster,
                        "fieldPaths": ["spec.bootstrap.recovery.recoveryTarget.targetTime"],
                    }
                ],
            }
        ],
    }


def _component(resources: Sequence[str], merged: Mapping[str, Mapping[str, str]]) -> str:
    return _yaml(
        [
            {
                "apiVersion": "kustomize.config.k8s.io/v1alpha1",
                "kind": "Component",
                "resources": list(resources),
                "configMapGenerator": [
                    {"name": name, "behavior": "merge", "literals": [f"{key}={value}" for key, value in values.items()]}
                    for name, values in merged.items()
                ],
            }
        ]
    )


class _Dumper(Plain):
    """Each object is whole by itself. Items of a list stand below their key."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Texts of several lines as they are."""
        return super().represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent items of lists, too."""
        return super().increase_indent(flow, False)


_Dumper.add_representer(str, _Dumper.represent_str)


def _yaml(objects: Iterable[Object]) -> str:
    return HEADER + "---\n".join(map(_dumped, objects))


def _dumped(one: object) -> str:
    return yaml.dump(one, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
