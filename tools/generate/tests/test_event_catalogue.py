"""The event catalogue and the AsyncAPI document are up to date, whole, and as the schemas and the Publisher are."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastavro import parse_schema

from contracts.avro import AvroCodec, frame_of, schema_folder, shipped_schemas
from eventfold import Context, Process, Projection
from eventfold.publish.publisher import Publisher, placed
from lyceum_generate import lyceum_events
from lyceum_generate.__main__ import ASYNCAPI, EVENTS
from lyceum_generate.public import emitted
from lyceum_generate.services import definitions
from lyceum_generate.stored import SAMPLED_AT

ROOT = Path(__file__).parents[3]
VALIDATE = ROOT / "tools" / "asyncapi" / "validate.sh"


@pytest.fixture
def document() -> dict[str, Any]:
    """The committed document, read by a parser of YAML."""
    return yaml.safe_load((ROOT / ASYNCAPI).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_the_page_is_up_to_date() -> None:
    assert lyceum_events.page() == (ROOT / EVENTS).read_text(encoding="utf-8"), "run make generate"


def test_the_document_is_up_to_date() -> None:
    assert lyceum_events.document() == (ROOT / ASYNCAPI).read_text(encoding="utf-8"), "run make generate"


def test_every_type_field_and_golden_is_on_the_page() -> None:
    page = (ROOT / EVENTS).read_text(encoding="utf-8")
    for file in schema_folder().glob("*/*.avsc"):
        raw = json.loads(file.read_text(encoding="utf-8"))
        assert raw["doc"] in page
        assert all(f"| `{field['name']}` |" in page and field.get("doc", "") in page for field in raw["fields"])
    for type_name in AvroCodec().types:
        section = page.split(f"### {type_name}\n")[1]
        newest = max(one.minor for one in shipped_schemas(schema_folder()) if one.type == type_name)
        golden = ROOT / "schemas" / "golden" / f"{type_name}.{newest}.json"
        assert json.loads(section.split("```json\n")[1].split("```")[0]) == json.loads(golden.read_text())


def test_partition_keys_are_the_streams_own() -> None:
    page = (ROOT / EVENTS).read_text(encoding="utf-8")
    assert "Partition key: the id of the order." in page.split("### lyceum.billing.order.paid.v1")[1].split("###")[0]
    liked = page.split("### lyceum.catalog.interaction.liked.v1")[1].split("###")[0]
    assert "all of a member's interactions share" in liked


def test_consumers_are_those_that_declare_the_topic() -> None:
    [order] = [one for one in lyceum_events.catalogue().topics if one.name == "lyceum.billing.order"]
    readers = {one.service: (one.projections, one.processes) for one in order.readers}
    assert readers["billing"][1] == ("grant-after-paid",) and "metrics" in readers and "identity" not in readers


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = list(_references(document))
    assert len(references) > 50
    for reference in references:
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_every_type_is_sent_on_its_topic_with_the_newest_shipped_schema(document: dict[str, Any]) -> None:
    messages = document["components"]["messages"]
    assert sorted(messages) == AvroCodec().types
    shipped = {one.type: one.frame for one in shipped_schemas(schema_folder())}  # the last one of a type is the newest
    for name, message in messages.items():
        payload = message["payload"]
        assert payload["schemaFormat"] == "application/vnd.apache.avro;version=1.9.0"
        assert frame_of(payload["schema"]) == shipped[name] and parse_schema(payload["schema"])
        topic = name.rsplit(".", 2)[0]
        assert name in document["channels"][topic]["messages"]


def test_each_topic_is_sent_by_its_owner_and_received_by_each_reader(document: dict[str, Any]) -> None:
    operations = document["operations"]
    found = {(one["action"], one["channel"]["$ref"].split("/")[-1], name) for name, one in operations.items()}
    expected = set()
    for service, definition in definitions().items():
        expected |= {("send", topic, f"{service}.send.{topic}") for topic in definition.topics}
        handlers: list[Projection | Process] = [*definition.projections, *definition.processes]
        read = {topic for one in handlers for topic in one.topics}
        expected |= {("receive", topic, f"{service}.receive.{topic}") for topic in read}
    assert found == expected


def test_the_headers_are_those_that_the_publisher_writes(document: dict[str, Any]) -> None:
    described = document["components"]["schemas"]["CloudEventHeaders"]
    bare = Context(now=SAMPLED_AT, actor="a", correlation_id="c")
    full = Context(SAMPLED_AT, "a", "c", causation_id="x", traceparent="t", backfill=True)
    for service in definitions():
        publisher = Publisher(definitions()[service].source, definitions()[service].to_public, AvroCodec())
        for one in emitted(service):
            records = [publisher.encode(one.recorded(context, seq=1)) for context in (bare, full)]
            headers = [dict(placed(record, b"history", 0).headers) for record in records if record]
            # Relays of builds before did not tell of histories and of the record before.
            untold = {"ce_correlationid", "ce_history", "ce_previoussequence"}
            assert set(described["required"]) == {*headers[0]} - untold
            assert set(described["properties"]) == {*headers[1]}


def _validate(document: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("npm") is None:
        pytest.skip("the parser of AsyncAPI needs node and npm")
    return subprocess.run([VALIDATE, document], capture_output=True, text=True, timeout=300)


def test_the_reference_parser_refuses_a_document_that_is_wrong(document: dict[str, Any], tmp_path: Path) -> None:
    operation = next(iter(document["operations"].values()))
    message = next(iter(document["components"]["messages"].values()))
    broken = json.loads(json.dumps(document).replace('"action": "send"', '"action": "push"'))
    assert operation["action"] == "send" and broken != document
    (tmp_path / "action.yaml").write_text(yaml.safe_dump(broken))
    assert _validate(tmp_path / "action.yaml").returncode == 1
    del message["payload"]["schema"]["fields"]
    (tmp_path / "payload.yaml").write_text(yaml.safe_dump(document))
    refused = _validate(tmp_path / "payload.yaml")
    assert refused.returncode == 1 and "payload" in refused.stderr
