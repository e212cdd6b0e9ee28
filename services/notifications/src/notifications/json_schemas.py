"""JSON Schema (draft 2020-12) of what is told, written from the Avro schemas of the events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from contracts.avro import schema_folder, shipped_schemas

_PRIMITIVES: Final[Mapping[str, Mapping[str, Any]]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "string": {"type": "string"},
}
_TIME: Final[Mapping[str, Any]] = {"type": "string", "format": "date-time"}


@cache
def _newest() -> Mapping[str, Any]:
    """The newest minor of each public type, by its name."""
    return {
        one.type: json.loads(one.text) for one in sorted(shipped_schemas(schema_folder()), key=lambda one: one.minor)
    }


def data_schema(public_type: str) -> dict[str, Any]:
    """The schema of the `data` of an event of this type. Fields that the schema does not name may come at any time.

    Raises KeyError for a type without a schema.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **json_schema(_newest()[public_type])}


def json_schema(avro: Any) -> dict[str, Any]:
    """The JSON Schema of an Avro schema as it stands in its file. Raises ValueError for what no event of ours uses."""
    return _of(avro, {})


def _of(avro: Any, named: dict[str, Any]) -> dict[str, Any]:
    if isinstance(avro, list):
        return _union([_of(one, named) for one in avro])
    if isinstance(avro, str):
        return dict(_PRIMITIVES[avro] if avro in _PRIMITIVES else named[avro])
    if avro.get("logicalType") == "timestamp-micros":
        return dict(_TIME)
    match avro["type"]:
        case "record":
            return _record(avro, named)
        case "array":
            return {"type": "array", "items": _of(avro["items"], named)}
        case "map":
            return {"type": "object", "additionalProperties": _of(avro["values"], named)}
        case "enum":
            return {"type": "string", "enum": [*avro["symbols"]]}
        case str() as name if name in _PRIMITIVES:
            return dict(_PRIMITIVES[name])
        case other:
            raise ValueError(f"no JSON Schema for {other}")


def _record(avro: Mapping[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """All fields are there in each event; those that may be absent are null."""
    fields = {one["name"]: {**_of(one["type"], named), **_doc(one)} for one in avro["fields"]}
    made = {"type": "object", **_doc(avro), "properties": fields, "required": [*fields]}
    named[f"{avro['namespace']}.{avro['name']}"] = made
    return made


def _doc(avro: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": avro["doc"]} if avro.get("doc") else {}


def _union(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return choices[0] if len(choices) == 1 else {"anyOf": choices}
