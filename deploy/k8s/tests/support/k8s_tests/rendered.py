"""The objects of an overlay as kubectl renders them, and how tests ask about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from lyceum_k8s.rendering import HERE, render

Object = dict[str, Any]
ROLE, WORKLOAD = "lyceum.io/role", "lyceum.io/workload"
RUNS = ("Deployment", "StatefulSet")


@cache
def objects(overlay: str) -> tuple[Object, ...]:
    """Every object of an overlay."""
    return tuple(one for one in yaml.safe_load_all(render(HERE / "overlays" / overlay)) if one)


def host(name: str) -> str:
    """A name of the code as objects have it: hyphens for underscores."""
    return name.replace("_", "-")


def of_kind(overlay: str, *kinds: str) -> Iterator[Object]:
    """The objects of these kinds."""
    return (one for one in objects(overlay) if one["kind"] in kinds)


def named(overlay: str, kind: str) -> Mapping[str, Object]:
    """The objects of a kind by name."""
    return {one["metadata"]["name"]: one for one in of_kind(overlay, kind)}


def template(one: Object) -> Object:
    """The pod's template of a workload or job."""
    spec: Object = one["spec"]
    found: Object = spec["jobTemplate"]["spec"]["template"] if one["kind"] == "CronJob" else spec["template"]
    return found


def pods(overlay: str, *kinds: str) -> Mapping[str, Object]:
    """The pods' templates by <kind>/<name>, of these kinds or of all that make pods."""
    kinds = kinds or (*RUNS, "Job", "CronJob")
    return {f"{one['kind']}/{one['metadata']['name']}": template(one) for one in of_kind(overlay, *kinds)}


def label(one: Object, key: str) -> str:
    """A label of an object or template; empty if it is not there."""
    return str(one["metadata"].get("labels", {}).get(key, ""))


def container(pod: Object) -> Object:
    """The only container of a pod."""
    (only,) = pod["spec"]["containers"]
    assert isinstance(only, dict) and not pod["spec"].get("initContainers")
    return only


def environment(overlay: str, pod: Object) -> dict[str, str]:
    """The environment in which the pod's process starts, as kubelet makes it: ConfigMaps first, then single variables,
    in which the single variables before them are put in. What comes from a secret is its key."""
    maps = {one["metadata"]["name"]: one["data"] for one in of_kind(overlay, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container(pod).get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    single: dict[str, str] = {}
    for one in container(pod).get("env", ()):
        single[one["name"]] = _value(one, maps, single)
    return found | single


def _value(one: Object, maps: Mapping[str, Mapping[str, str]], before: Mapping[str, str]) -> str:
    source = one.get("valueFrom")
    if source is None:
        text = str(one["value"])
        for name, value in before.items():
            text = text.replace(f"$({name})", value)
        return text
    if "configMapKeyRef" in source:
        return maps[source["configMapKeyRef"]["name"]][source["configMapKeyRef"]["key"]]
    if "secretKeyRef" in source:
        return str(source["secretKeyRef"]["key"])
    return str(source["fieldRef"]["fieldPath"])
