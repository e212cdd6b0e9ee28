"""JSON schemas for kubeconform: those of Kubernetes itself, and those of custom resources from their definitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

KUBERNETES = ("1.34", "1.37")
"""The oldest and the newest version that the manifests are checked against."""
_VALUES = ("default", "enum", "example")
_DEFINITIONS = '"/api/_definitions.json'


def write_kubernetes(version: str, folder: Path) -> None:
    """Kubernetes' own schemas, in which unknown fields are errors. They come from the package kubernetes-validate; what
    only its own reader understands is taken out."""
    for file in sorted(_packaged(version).glob("*.json")):
        schema = json.loads(file.read_text(encoding="utf-8").replace(_DEFINITIONS, '"_definitions.json'))
        if isinstance(schema, dict):
            schema = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
        _write(folder / file.name, schema)


def _packaged(version: str) -> Path:
    found = find_spec("kubernetes_validate")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("kubernetes_validate")
    return Path(found.origin).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"


def write_custom(definitions: Path, folder: Path) -> None:
    """The schema of each version of each custom resource that is defined in the YAML files of `definitions`, as
    <group>/<kind>_<version>.json."""
    for group, kind, version, schema in _custom(definitions):
        _write(folder / group / f"{kind.lower()}_{version}.json", strict(schema))


def _custom(definitions: Path) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for file in sorted(definitions.glob("*.yaml")):
        for one in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if one and one["kind"] == "CustomResourceDefinition":
                spec = one["spec"]
                for version in spec["versions"]:
                    yield spec["group"], spec["names"]["kind"], version["name"], version["schema"]["openAPIV3Schema"]


def strict(schema: Any) -> Any:
    """The same schema, in which fields that it does not name are errors, as they are for the API server."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: value if key in ("default", "enum", "example") else _inside(key, value) for key, value in schema.items()
    }
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource")
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema and not is_open:
        made["additionalProperties"] = False
    return made


def _inside(key: str, value: Any) -> Any:
    """Alternatives only narrow what stands beside them, so their own fields close nothing."""
    if key in ("anyOf", "allOf", "oneOf", "not"):
        return value
    if key == "properties":
        return {
            name: _METADATA if name == "metadata" and not one.get("properties") else strict(one)
            for name, one in value.items()
        }
    return strict(value)


_METADATA: dict[str, Any] = {"type": "object"}


def _write(file: Path, schema: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(schema), encoding="utf-8")
