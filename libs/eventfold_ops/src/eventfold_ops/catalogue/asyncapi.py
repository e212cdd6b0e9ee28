"""The catalogue as AsyncAPI 3: topics, messages, and their senders and receivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventfold_ops.catalogue.events import Catalogue, EventType, Reader, Topic

AVRO = "application/vnd.apache.avro;version=1.9.0"
BINDING = "0.5.0"

_TEXT: Mapping[str, Any] = {"type": "string"}
_TIME: Mapping[str, Any] = {"type": "string", "format": "date-time"}
_NUMBER: Mapping[str, Any] = {"type": "string", "pattern": "^[0-9]+$"}
_HEADERS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "ce_specversion": ({"type": "string", "const": "1.0"}, "The version of CloudEvents."),
    "ce_id": ({"type": "string", "format": "uuid"}, "The same for every delivery of the same event."),
    "ce_type": (_TEXT, "The public type."),
    "ce_source": (_TEXT, "The service that emits it."),
    "ce_time": (_TIME, "When it happened (business time)."),
    "ce_recordedtime": (_TIME, "When it was recorded; later than ce_time for imports."),
    "ce_subject": (_TEXT, "The stream that recorded it."),
    "ce_dataschema": (_TEXT, "The writer schema."),
    "ce_partitionkey": (_TEXT, "The record key."),
    "ce_sequence": (_NUMBER, "The service's sequence; growing on each partition, but for repeated records."),
    "ce_previoussequence": (
        _NUMBER,
        "That of the record before it on its partition; one you never saw is missing.",
    ),
    "ce_history": (_TEXT, "Names the history of the service's store: another once that was restored."),
    "ce_aggregateversion": (_NUMBER, "The event's number in its stream, from 1."),
    "content-type": ({"type": "string", "const": "application/avro"}, "The media type of the value."),
    "ce_correlationid": (_TEXT, "What a whole chain of cause and effect shares."),
    "ce_causationid": (_TEXT, "The event or command that caused it."),
    "ce_backfill": ({"type": "string", "const": "true"}, "Set where an import recorded it with a past time."),
    "traceparent": (_TEXT, "W3C trace context."),
}
_OPTIONAL = ("ce_previoussequence", "ce_history", "ce_correlationid", "ce_causationid", "ce_backfill", "traceparent")


def document(catalogue: Catalogue, version: str) -> dict[str, Any]:
    """The document. `version` is the document's own. Assumes that values are Avro, and that topics keep everything."""
    topics = catalogue.topics
    return {
        "asyncapi": "3.0.0",
        "info": {"title": catalogue.title, "version": version, "description": catalogue.description},
        "defaultContentType": "application/avro",
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": {name: operation for topic in topics for name, operation in _operations(topic)},
        "components": {
            "messages": {one.name: _message(one, topic.source) for topic in topics for one in topic.types},
            "schemas": {"CloudEventHeaders": _headers()},
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    configuration = {"cleanup.policy": ["delete"], "retention.ms": -1}
    return {
        "address": topic.name,
        "description": "All types of the subject, in order per key. A deployment may put a prefix before the name.",
        "messages": {one.name: {"$ref": f"#/components/messages/{one.name}"} for one in topic.types},
        "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": configuration, "bindingVersion": BINDING}},
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    sends = (f"{topic.service}.send.{topic.name}", _operation(topic, "send", f"{topic.service} emits", {}))
    return [sends, *((f"{one.service}.receive.{topic.name}", _receiving(topic, one)) for one in topic.readers)]


def _receiving(topic: Topic, one: Reader) -> dict[str, Any]:
    group = {"groupId": {"type": "string", "const": one.group}, "bindingVersion": BINDING}
    by = ", ".join([*one.projections, *one.processes])
    return _operation(topic, "receive", f"{one.service} folds it in {by}", {"bindings": {"kafka": group}})


def _operation(topic: Topic, action: str, title: str, more: Mapping[str, Any]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/{topic.name}/messages/{one.name}"} for one in topic.types]
    return {
        "action": action,
        "title": title,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        **more,
        "messages": messages,
    }


def _message(one: EventType, source: str) -> dict[str, Any]:
    said = {"ce_type": one.name, "ce_source": source}
    fixed = {name: {"type": "string", "const": value} for name, value in said.items()}
    return {
        "name": one.name,
        "title": one.doc,
        "contentType": "application/avro",
        "headers": {
            "allOf": [{"$ref": "#/components/schemas/CloudEventHeaders"}, {"type": "object", "properties": fixed}]
        },
        "payload": {"schemaFormat": AVRO, "schema": dict(one.schema)},
        "bindings": {"kafka": {"key": {"type": "string", "description": one.partition_key}, "bindingVersion": BINDING}},
    }


def _headers() -> dict[str, Any]:
    properties = {name: {**kind, "description": doc} for name, (kind, doc) in _HEADERS.items()}
    return {
        "type": "object",
        "required": [name for name in _HEADERS if name not in _OPTIONAL],
        "properties": properties,
    }
