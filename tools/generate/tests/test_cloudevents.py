"""Records of every public type, as the Publisher makes them, are CloudEvents to an independent reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat

from contracts.avro import AvroCodec
from eventfold import Context, Recorded
from eventfold.publish.publisher import Publisher, Record
from lyceum_generate.public import emitted
from lyceum_generate.services import definitions

OCCURRED = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
AVRO = AvroCodec()
CONTEXT = Context(
    now=OCCURRED + timedelta(seconds=2),
    actor="actor",
    correlation_id="correlation",
    causation_id="cause",
    traceparent=TRACEPARENT,
    occurred_at=OCCURRED,
    backfill=True,
)


def published(service: str, recorded: Recorded) -> Record:
    record = Publisher(definitions()[service].source, definitions()[service].to_public, AVRO, "prefix.").encode(
        recorded
    )
    assert record is not None
    return record


def cases() -> list[Any]:
    return [pytest.param(service, one, id=one.public_type) for service in definitions() for one in emitted(service)]


@pytest.mark.parametrize(("service", "one"), cases())
def test_a_record_is_a_cloudevent_with_all_its_attributes(service: str, one: Any) -> None:
    recorded = one.recorded(CONTEXT, version=3, seq=77)
    record = published(service, recorded)
    event: Any = from_kafka(KafkaMessage(dict(record.headers), record.key, record.value), JSONFormat())
    assert (event.get_type(), event.get_source()) == (one.public_type, f"/lyceum/{service}")
    assert (event.get_specversion(), event.get_id()) == ("1.0", str(recorded.id))
    assert (event.get_subject(), event.get_time()) == (recorded.stream, OCCURRED)
    assert event.get_datacontenttype() == "application/avro"
    assert event.get_dataschema() == AVRO.written_as(record.value)[1]
    extensions = {
        "partitionkey": recorded.partition_key,
        "sequence": "77",
        "aggregateversion": "3",
        "correlationid": "correlation",
        "causationid": "cause",
        "recordedtime": "2026-03-01T12:00:02.000250Z",
        "backfill": "true",
    }
    assert {name: event.get_extension(name) for name in extensions} == extensions
    assert AVRO.decode(record.value) == AVRO.decode(event.get_data())
    assert dict(record.headers)["traceparent"] == TRACEPARENT.encode()


def test_every_public_type_is_emitted_by_one_service() -> None:
    types = [one.public_type for service in definitions() for one in emitted(service)]
    assert sorted(types) == AVRO.types
