"""Public events: how a stored event becomes a Kafka record in CloudEvents binary mode with an Avro value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from aiokafka.partitioner import murmur2

from eventfold.decider import Recorded, event_id_text
from eventfold.errors import Unpublishable

MAX_VALUE_BYTES = 900_000
"""Largest value that a command may cause; Kafka's default limit is 1,048,576 bytes for the whole batch."""


class Avro(Protocol):
    """Encodes and decodes public data; see `contracts.avro` for the implementation over the shipped schemas."""

    def encode(self, type_name: str, datum: Mapping[str, Any]) -> bytes:
        """Framed Avro bytes of `datum` under the newest schema of `type_name`."""

    def decode(self, value: bytes) -> Any:
        """Datum written under any shipped schema, resolved to the newest minor. Raises on an unknown fingerprint."""

    def dataschema(self, type_name: str) -> str:
        """What `ce_dataschema` says: names the writer schema."""


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """A fact as the outside sees it: wire type (`lyceum.billing.order.paid.v1`) and data without personal fields."""

    type: str
    data: Mapping[str, Any]


ToPublic = Callable[[Recorded], PublicEvent | None]


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record, ready to send. `timestamp_ms` is the business time."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int


def topic_of(public_type: str) -> str:
    """All types of a subject share a topic: `lyceum.billing.order.paid.v1` is sent on `lyceum.billing.order`."""
    return public_type.rsplit(".", 2)[0]


def partition_of(key: bytes, partitions: int) -> int:
    """Kafka's default partition of a key, stated here so that tokens and relay agree."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def rfc3339(at: datetime) -> str:
    """UTC timestamp as CloudEvents wants it, with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


class Publisher:
    """Encodes the public events of one service. Pure but for caches; safe to share."""

    def __init__(self, service: str, to_public: ToPublic, avro: Avro, topic_prefix: str = "") -> None:
        self._source = f"/lyceum/{service}".encode()
        self._to_public = to_public
        self._avro = avro
        self._prefix = topic_prefix
        self._fixed: dict[str, list[tuple[str, bytes]]] = {}

    @property
    def source(self) -> str:
        """`ce_source` of everything that the service publishes."""
        return self._source.decode()

    def check(self, recorded: Recorded) -> None:
        """Raise `Unpublishable` if the event has a public form that cannot be encoded within `MAX_VALUE_BYTES`."""
        public = self._to_public(recorded)
        if public is not None:
            self._value(recorded, public)

    def topic(self, recorded: Recorded) -> str | None:
        """The topic that the event goes to, with prefix; None for a private event."""
        public = self._to_public(recorded)
        return None if public is None else self._prefix + topic_of(public.type)

    def encode(self, recorded: Recorded) -> Record | None:
        """The record of an event; None if it has no public form. Raises `Unpublishable`."""
        public = self._to_public(recorded)
        if public is None:
            return None
        value = self._value(recorded, public)
        timestamp_ms = int(recorded.occurred_at.timestamp() * 1000)
        key = recorded.partition_key.encode()
        topic = self._prefix + topic_of(public.type)
        return Record(topic, key, value, self._headers(recorded, public.type, key), timestamp_ms)

    def _value(self, recorded: Recorded, public: PublicEvent) -> bytes:
        try:
            value = self._avro.encode(public.type, public.data)
        except Exception as failure:
            raise Unpublishable(recorded.stream, public.type, type(failure).__name__) from failure
        if len(value) > MAX_VALUE_BYTES:
            raise Unpublishable(recorded.stream, public.type, f"{len(value)} bytes exceed {MAX_VALUE_BYTES}")
        return value

    def _headers(self, recorded: Recorded, public_type: str, key: bytes) -> list[tuple[str, bytes]]:
        headers = [
            *self._fixed_headers(public_type),
            ("ce_id", event_id_text(recorded.stream, recorded.version).encode()),
            ("ce_time", rfc3339(recorded.occurred_at).encode()),
            ("ce_recordedtime", rfc3339(recorded.recorded_at).encode()),
            ("ce_subject", recorded.stream.encode()),
            ("ce_partitionkey", key),
            ("ce_aggregateversion", str(recorded.version).encode()),
        ]
        if recorded.seq is not None:
            headers.append(("ce_sequence", str(recorded.seq).encode()))
        return headers + _context_headers(recorded.meta)

    def _fixed_headers(self, public_type: str) -> list[tuple[str, bytes]]:
        if public_type not in self._fixed:
            self._fixed[public_type] = [
                ("ce_specversion", b"1.0"),
                ("ce_type", public_type.encode()),
                ("ce_source", self._source),
                ("ce_dataschema", self._avro.dataschema(public_type).encode()),
                ("content-type", b"application/avro"),
            ]
        return self._fixed[public_type]


def _context_headers(meta: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    headers = []
    for name, header in (
        ("correlation_id", "ce_correlationid"), ("causation_id", "ce_causationid"), ("traceparent", "traceparent"),
    ):  # fmt: skip
        if name in meta:
            headers.append((header, str(meta[name]).encode()))
    if meta.get("backfill"):
        headers.append(("ce_backfill", b"true"))
    return headers
