"""A catalogue of public events: topics, the types on them, their emitters and readers. All of it is plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eventfold.vocabulary.public import topic_of


@dataclass(frozen=True)
class Reader:
    """A service that reads a topic as a consumer group, with the projections and processes that read it."""

    service: str
    group: str
    projections: tuple[str, ...]
    processes: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """A field of a public event; `path` includes the names of the fields above it."""

    path: str
    type: str
    doc: str


@dataclass(frozen=True)
class EventType:
    """A public type at its newest minor. `schema` is the Avro schema as in its file, `partition_key` a phrase that
    describes the record key, `versions` all versions ever shipped."""

    name: str
    versions: tuple[str, ...]
    partition_key: str
    schema: Mapping[str, Any]
    example: Mapping[str, Any]

    @property
    def topic(self) -> str:
        """The topic on which it is sent, without prefix."""
        return topic_of(self.name)

    @property
    def doc(self) -> str:
        """The description of the event."""
        return str(self.schema["doc"])

    @property
    def fields(self) -> list[Field]:
        """Its fields in order; those of a nested record follow the record itself."""
        return list(_fields(self.schema, "", {}))


@dataclass(frozen=True)
class Topic:
    """A topic (named without prefix), the one service that emits on it, and that service's `ce_source`."""

    name: str
    service: str
    source: str
    types: tuple[EventType, ...]
    readers: tuple[Reader, ...]


@dataclass(frozen=True)
class Catalogue:
    """All topics, in display order."""

    title: str
    description: str
    topics: tuple[Topic, ...]


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
