"""What there is to say about every public event, gathered from schemas, goldens and the services' definitions."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from contracts.avro import schema_folder, shipped_schemas
from eventfold.decider import StreamType, own_id
from eventfold.publish import topic_of
from lyceum_generate.public import emitted
from lyceum_generate.services import FOLDER, definitions

GOLDEN = FOLDER.parent / "schemas" / "golden"


@dataclass(frozen=True)
class Consumer:
    """A service that reads a topic, with the projections and processes that do."""

    service: str
    projections: tuple[str, ...]
    processes: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """A field of a public event; `path` names the ones above it."""

    path: str
    type: str
    doc: str


@dataclass(frozen=True)
class EventType:
    """A public type at its newest minor."""

    name: str
    versions: tuple[str, ...]
    service: str
    partition_key: str
    schema: Mapping[str, Any]
    example: Mapping[str, Any]

    @property
    def topic(self) -> str:
        """Where it is sent, without prefix."""
        return topic_of(self.name)

    @property
    def doc(self) -> str:
        """What the event says."""
        return str(self.schema["doc"])

    @property
    def fields(self) -> list[Field]:
        """Its fields in order, those of nested records behind the record itself."""
        return list(_fields(self.schema, "", {}))


@cache
def event_types() -> tuple[EventType, ...]:
    """Every public type, by name."""
    by_type: dict[str, list[Any]] = {}
    for one in shipped_schemas(schema_folder()):
        by_type.setdefault(one.type, []).append(one)
    emitters = {one.public_type: one for service in definitions() for one in emitted(service)}
    return tuple(
        EventType(
            name, tuple(f"{name.rsplit('.v', 1)[1]}.{one.minor}" for one in shipped),
            emitters[name].service, partition_key(emitters[name].stream_type), _raw(name, shipped[-1].minor),
            json.loads((GOLDEN / f"{name}.{shipped[-1].minor}.json").read_text(encoding="utf-8")),
        )
        for name, shipped in by_type.items()
    )  # fmt: skip


def topics() -> list[str]:
    """Every topic that some service emits on, in order."""
    return sorted({topic for definition in definitions().values() for topic in definition.topics})


def emitter(topic: str) -> str:
    """The one service that declares a topic as its own."""
    [service] = [name for name, definition in definitions().items() if topic in definition.topics]
    return service


def consumers(topic: str) -> list[Consumer]:
    """Who reads a topic."""
    found = [
        Consumer(
            name,
            tuple(sorted(one.name for one in definition.projections if topic in one.topics)),
            tuple(sorted(one.name for one in definition.processes if topic in one.topics)),
        )
        for name, definition in definitions().items()
    ]
    return [one for one in found if one.projections or one.processes]


def partition_key(kind: StreamType[Any, Any, Any]) -> str:
    """What the record key of a stream's events is."""
    if kind.partition_key is own_id:
        return f"the id of the {kind.name}"
    return f"{_first_line(kind.partition_key)} (stream `{kind.name}-<id>`)"


def _first_line(described: Any) -> str:
    line = (inspect.getdoc(described) or described.__name__).splitlines()[0].rstrip(".")
    return line[0].lower() + line[1:]


def _raw(name: str, minor: int) -> Mapping[str, Any]:
    """A schema as its file has it."""
    _, context, subject, action, major = name.split(".")
    file = schema_folder() / context / f"{subject}_{action}.{major}.{minor}.avsc"
    return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _fields(record: Mapping[str, Any], above: str, named: dict[str, Mapping[str, Any]]) -> Iterator[Field]:
    named[record["name"]] = named[f"{record.get('namespace', '')}.{record['name']}"] = record
    for field in record["fields"]:
        path = above + field["name"]
        yield Field(path, _type(field["type"], named), field.get("doc", ""))
        inner = _record_in(field["type"], named)
        if inner is not None:
            yield from _fields(inner, f"{path}.", named)


def _type(schema: Any, named: Mapping[str, Any]) -> str:
    """A type in words."""
    if isinstance(schema, list):
        return " or ".join(_type(part, named) for part in schema if part != "null") + ", optional"
    if isinstance(schema, str):
        return str(named[schema]["name"]) if schema in named else schema
    if schema.get("logicalType") == "timestamp-micros":
        return "time (UTC, microseconds)"
    if schema["type"] == "array":
        return f"list of {_type(schema['items'], named)}"
    return str(schema["name"]) if schema["type"] == "record" else _type(schema["type"], named)


def _record_in(schema: Any, named: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The record inside a type, if there is one."""
    if isinstance(schema, list):
        return next((inner for part in schema if (inner := _record_in(part, named))), None)
    if isinstance(schema, str):
        return named.get(schema)
    if schema["type"] == "array":
        return _record_in(schema["items"], named)
    return schema if schema["type"] == "record" else None


def types_on(topic: str) -> Sequence[EventType]:
    """The public types of a topic."""
    return [one for one in event_types() if one.topic == topic]
