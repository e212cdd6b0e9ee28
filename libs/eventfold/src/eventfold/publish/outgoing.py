"""Rows of the store on their way to Kafka: the columns read to send an event, and its target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from eventfold.measured.times import at_us, sent_us
from eventfold.measured.tuples import made
from eventfold.publish.publisher import Envelope
from eventfold.vocabulary.codec import EventCodec
from eventfold.vocabulary.decider import Recorded

# An event with a stored public form need not be decoded before it is sent.
TO_SEND = """position, seq, public_value, stream, version, partition_key,
  timestamptz_send(occurred_at), timestamptz_send(recorded_at),
  meta ->> 'correlation_id', meta ->> 'causation_id', meta ->> 'traceparent', meta ? 'backfill',
  CASE WHEN public_value IS NULL THEN jsonb_build_array(type, schema_version, data, meta) END"""


class Target(NamedTuple):
    """A point on a partition. A fold has reached it when its stored `seq` there is at least this one."""

    topic: str
    partition: int
    seq: int


def recorded_to_send(codec: EventCodec, row: Sequence[Any]) -> Recorded:
    """The event of a row without a public value, decoded and upcast. The row has the columns of `TO_SEND`."""
    position, seq, _, stream, version, key, occurred, recorded_at, *_, (name, schema_version, data, meta) = row
    event = codec.decode(name, schema_version, data)
    return Recorded(
        stream=stream,
        version=version,
        event=event,
        type=name,
        partition_key=key,
        occurred_at=at_us(sent_us(occurred)),
        recorded_at=at_us(sent_us(recorded_at)),
        meta=meta,
        position=position,
        seq=seq,
    )


def envelope_to_send(row: Sequence[Any], salt: str) -> Envelope:
    """The envelope around the public value of a row with the columns of `TO_SEND`, recorded in the history of this
    `salt`."""
    _, seq, _, stream, version, key, occurred, recorded_at, correlation_id, causation_id, traceparent, backfill, _ = row
    occurred_us = sent_us(occurred)
    recorded_us = occurred_us if recorded_at == occurred else sent_us(recorded_at)
    context = (correlation_id, causation_id, traceparent, backfill)
    return made(Envelope, (stream, version, key, occurred_us, recorded_us, seq, *context, salt))
