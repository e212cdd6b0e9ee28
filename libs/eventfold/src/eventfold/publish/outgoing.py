"""Rows of the store on their way out: what is read of an event to send it, and where it goes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from eventfold.publish.publisher import Envelope, at_us, made
from eventfold.vocabulary.codec import EventCodec
from eventfold.vocabulary.decider import Recorded

# An event whose public form is stored need not be decoded to be sent. Times come as PostgreSQL holds them: a text is
# made of a count of microseconds in less time than of a date.
TO_SEND = """position, seq, public_value, stream, version, partition_key,
  timestamptz_send(occurred_at), timestamptz_send(recorded_at),
  meta ->> 'correlation_id', meta ->> 'causation_id', meta ->> 'traceparent', meta ? 'backfill',
  CASE WHEN public_value IS NULL THEN jsonb_build_array(type, schema_version, data, meta) END"""


class Target(NamedTuple):
    """A point on a partition: reached by a fold whose stored `seq` there is at least this one."""

    topic: str
    partition: int
    seq: int


def sent_us(at: bytes) -> int:
    """Microseconds since 1970 of a time in `TO_SEND`: PostgreSQL counts them from 2000."""
    return int(_INT8.unpack(at)[0]) + _FROM_1970_TO_2000_US


_INT8 = struct.Struct(">q")
_FROM_1970_TO_2000_US = 946_684_800_000_000


def recorded_to_send(codec: EventCodec, row: Sequence[Any]) -> Recorded:
    """A row in the order of `TO_SEND` without a public value, with its event decoded and upcast."""
    position, seq, _, stream, version, key, occurred, recorded_at, *_, (name, schema_version, data, meta) = row
    event = codec.decode(name, schema_version, data)
    return Recorded(
        stream, version, event, name, key, at_us(sent_us(occurred)), at_us(sent_us(recorded_at)), meta, position, seq
    )


def envelope_to_send(row: Sequence[Any], salt: str) -> Envelope:
    """What surrounds the public value of a row in the order of `TO_SEND`, recorded in a history of this `salt`."""
    _, seq, _, stream, version, key, occurred, recorded_at, correlation_id, causation_id, traceparent, backfill, _ = row
    occurred_us = sent_us(occurred)
    recorded_us = occurred_us if recorded_at == occurred else sent_us(recorded_at)
    context = (correlation_id, causation_id, traceparent, backfill)
    return made(Envelope, (stream, version, key, occurred_us, recorded_us, seq, *context, salt))
