"""The published language: public events and their types, each defined once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple

from typing_extensions import TypeVar

TopicPartition = tuple[str, int]
"""A topic on Kafka, with its prefix and generation, and the number of one of its partitions."""

Data = TypeVar("Data", default=Any)
"""A TypedDict with the data of the events of a type."""


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """A fact as others see it: wire type (`lyceum.billing.order.paid.v1`) and data without personal fields."""

    type: str
    data: Mapping[str, Any]


class Written(NamedTuple):
    """The schemas of a value: `frame` is what precedes its datum, `schema` wrote it, and `newest` is the newest minor
    of its public type. Both are Avro's JSON as Python has it, with every name written out."""

    type: str
    frame: bytes
    schema: Any
    newest: Any


class PublicType(Generic[Data]):
    """A type of public events, with its name on the wire. `fields` is the TypedDict of the data of its events."""

    __slots__ = ("fields", "header", "name", "topic")

    def __init__(self, name: str, fields: type[Data], topic: str = "") -> None:
        self.name = name
        self.fields = fields
        self.topic = topic or topic_of(name)
        """The topic of its events, without prefix."""
        self.header = name.encode()
        """`ce_type` as in records."""

    def __call__(self, data: Data) -> PublicEvent:
        """An event of this type."""
        return PublicEvent(self.name, data)  # type: ignore[arg-type]  # a TypedDict is a mapping

    def __repr__(self) -> str:
        return self.name


def topic_of(public_type: str) -> str:
    """All types of a subject share a topic: `lyceum.billing.order.paid.v1` is sent on `lyceum.billing.order`."""
    return public_type.rsplit(".", 2)[0]
