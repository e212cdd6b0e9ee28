"""Public events: how a stored event becomes a Kafka record in CloudEvents binary mode with an Avro value."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from aiokafka.partitioner import murmur2

from eventfold.errors import OfNewerBuild, Unpublishable
from eventfold.measured.ids import event_id_text
from eventfold.measured.times import micros, timestamp
from eventfold.measured.tuples import made
from eventfold.vocabulary.decider import Recorded
from eventfold.vocabulary.public import PublicEvent, Written, topic_of

MAX_BATCH_BYTES = 1_000_000
"""The batch size that topics must accept (`topic_settings`). No record is larger, including everything around its
value."""
MAX_VALUE_BYTES = 900_000
"""Largest value that a command may cause."""
MAX_AROUND_BYTES = 64 * 1024
"""Largest total of key and headers that a command may cause. The rest of a batch is for header names and framing."""


class Avro(Protocol):
    """Encodes and decodes public data; see `contracts.avro` for the implementation over the shipped schemas."""

    @property
    def content_type(self) -> str:
        """The media type of encoded values, e.g. `application/avro`."""

    def encode(self, type_name: str, datum: Mapping[str, Any]) -> bytes:
        """Framed Avro bytes of `datum` under the newest schema of `type_name`."""

    def decode(self, value: bytes) -> Any:
        """Datum written under any shipped schema, resolved to the newest minor. Raises on an unknown fingerprint."""

    def decode_all(self, values: Sequence[bytes]) -> list[Any]:
        """`decode` of each value, in order; an implementation may have a faster way for many. Raises the error of
        `decode` for the first value that it refuses."""
        return [self.decode(value) for value in values]

    def written_as(self, value: bytes) -> tuple[str, str]:
        """The public type of an encoded value, and the `ce_dataschema` of the schema with which it was written. Raises
        on an unknown fingerprint."""

    def written(self, value: bytes) -> Written | None:
        """The schemas of an encoded value, for a reader that reads many values at once. None if values cannot be read
        so, or if no schema of this build wrote it."""
        return None


KEYS_REMEMBERED = 65_536
"""Number of keys whose partition is cached: hashing a key in Python costs more than building its record."""

ToPublic = Callable[[Recorded], PublicEvent | None]


Header = tuple[str, bytes]


class Envelope(NamedTuple):
    """The data around an event's public value in a record. Times are in microseconds since 1970."""

    stream: str
    version: int
    partition_key: str
    occurred_us: int
    recorded_us: int
    seq: int | None
    correlation_id: str | None
    causation_id: str | None
    traceparent: str | None
    backfill: bool
    salt: str = ""
    """The salt of the history in which the event was numbered (see `eventfold.publish.history`)."""


class Record(NamedTuple):
    """One Kafka record, ready to send. `timestamp_ms` is the business time, or the nearest time that a broker accepts
    from a sender now: not before 1970, and not in the future."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int


@lru_cache(KEYS_REMEMBERED)
def partition_of(key: bytes, partitions: int) -> int:
    """Kafka's default partition of a key, defined here so that tokens and relay agree."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class Publisher:
    """Encodes the public events of one service. Pure except for caches and a clock; safe to share.

    `source` is the CloudEvents source of everything that the service publishes: a URI reference, e.g.
    `/lyceum/catalog`. `clock_s` returns seconds since 1970; no record is sent with a later time.
    """

    def __init__(
        self,
        source: str,
        to_public: ToPublic,
        avro: Avro,
        topic_prefix: str = "",
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._clock_s = clock_s
        self._source = source.encode()
        self._to_public = to_public
        self._avro = avro
        self._prefix = topic_prefix
        self._by_schema: dict[tuple[str, str], tuple[str, list[Header]]] = {}

    @property
    def source(self) -> str:
        """`ce_source` of everything that the service publishes."""
        return self._source.decode()

    def value(self, recorded: Recorded) -> bytes | None:
        """The event's public form, encoded; None if it has none. Raises `Unpublishable` if it cannot be encoded within
        `MAX_VALUE_BYTES`, or if its key and headers exceed `MAX_AROUND_BYTES`."""
        public = self._to_public(recorded)
        if public is None:
            return None
        try:
            value = self._avro.encode(public.type, public.data)
        except Exception as failure:
            raise Unpublishable(recorded.stream, public.type, _named(failure)) from failure
        if len(value) > MAX_VALUE_BYTES:
            raise Unpublishable(recorded.stream, public.type, f"{len(value)} bytes exceed {MAX_VALUE_BYTES}")
        if (around := _around_bytes(recorded)) > MAX_AROUND_BYTES:
            reason = f"key and headers of {around} bytes exceed {MAX_AROUND_BYTES}"
            raise Unpublishable(recorded.stream, public.type, reason)
        return value

    def topic(self, recorded: Recorded) -> str | None:
        """The topic of the event, with prefix; None for a private event."""
        public = self._to_public(recorded)
        return None if public is None else self._prefix + topic_of(public.type)

    def encode(self, recorded: Recorded, salt: str = "") -> Record | None:
        """The record of an event as it would be encoded today; None if it has no public form. `salt` is that of its
        history. Raises `Unpublishable`."""
        value = self.value(recorded)
        if value is None:
            return None
        return self.record(value, _envelope(recorded, salt))

    def record(self, value: bytes, envelope: Envelope) -> Record:
        """The record for a value that `value` returned earlier. Raises `OfNewerBuild` if this build does not have the
        schema of the value."""
        try:
            topic, fixed = self._shared(self._avro.written_as(value))
        except Exception as failure:
            raise OfNewerBuild(envelope.stream, envelope.version, type(failure).__name__) from failure
        key = envelope.partition_key.encode()
        timestamp_ms = envelope.occurred_us // 1000
        if timestamp_ms < 0 or timestamp_ms > self._clock_s() * 1000:
            timestamp_ms = 0 if timestamp_ms < 0 else int(self._clock_s() * 1000)
        return made(Record, (topic, key, value, _headers(fixed, envelope, key), timestamp_ms))

    def _shared(self, written_as: tuple[str, str]) -> tuple[str, list[Header]]:
        """Topic and headers that all values of a schema share."""
        if written_as not in self._by_schema:
            public_type, dataschema = written_as
            fixed = [
                ("ce_specversion", b"1.0"),
                ("ce_type", public_type.encode()),
                ("ce_source", self._source),
                ("ce_dataschema", dataschema.encode()),
                ("content-type", self._avro.content_type.encode()),
            ]
            self._by_schema[written_as] = (self._prefix + topic_of(public_type), fixed)
        return self._by_schema[written_as]


def _named(failure: Exception) -> str:
    """The cause of an encoder's refusal without the value: the kind of error and, if the codec names it, the field."""
    path = getattr(failure, "path", "")
    return f"{type(failure).__name__} at {path}" if path else type(failure).__name__


_UTF8_BYTES = 4
"""The most bytes that one character takes."""


def _around_bytes(recorded: Recorded) -> int:
    """The bytes of an event's key and headers that commands can influence. For short texts this is an upper bound. The
    key counts twice, because it is a header too."""
    own = recorded.meta.get
    caused = own("correlation_id") or "", own("causation_id") or "", own("traceparent") or ""
    stream, key = recorded.stream, recorded.partition_key
    at_most = _UTF8_BYTES * (len(stream) + 2 * len(key) + len(caused[0]) + len(caused[1]) + len(caused[2]))
    if at_most <= MAX_AROUND_BYTES:
        return at_most
    return sum(len(text.encode("utf-8", "replace")) for text in (stream, key, key, *caused))


def _envelope(recorded: Recorded, salt: str) -> Envelope:
    meta = recorded.meta
    return Envelope(
        stream=recorded.stream,
        version=recorded.version,
        partition_key=recorded.partition_key,
        occurred_us=micros(recorded.occurred_at),
        recorded_us=micros(recorded.recorded_at),
        seq=recorded.seq,
        correlation_id=meta.get("correlation_id"),
        causation_id=meta.get("causation_id"),
        traceparent=meta.get("traceparent"),
        backfill="backfill" in meta,
        salt=salt,
    )


def placed(record: Record, nonce: bytes, previous_seq: int) -> Record:
    """The record with its place on a partition. `ce_history` names the history of its number. `ce_previoussequence` is
    the number of the record before it there, so that readers can see that none is missing."""
    record.headers.append(("ce_history", nonce))
    record.headers.append(("ce_previoussequence", b"%d" % previous_seq))
    return record


def _headers(fixed: Sequence[Header], envelope: Envelope, key: bytes) -> list[Header]:
    stream, version, _, occurred_us, recorded_us, seq, correlation_id, causation_id, traceparent, backfill, salt = (
        envelope
    )
    occurred = timestamp(occurred_us)
    headers = [
        *fixed,
        ("ce_id", event_id_text(stream, version, salt).encode()),
        ("ce_time", occurred),
        ("ce_recordedtime", occurred if recorded_us == occurred_us else timestamp(recorded_us)),
        ("ce_subject", stream.encode()),
        ("ce_partitionkey", key),
        ("ce_aggregateversion", b"%d" % version),
    ]
    if seq is not None:
        headers.append(("ce_sequence", b"%d" % seq))
    if correlation_id is not None:
        headers.append(("ce_correlationid", correlation_id.encode()))
    if causation_id is not None:
        headers.append(("ce_causationid", causation_id.encode()))
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    if backfill:
        headers.append(("ce_backfill", b"true"))
    return headers
