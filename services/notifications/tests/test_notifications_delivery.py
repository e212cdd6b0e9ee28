"""What is folded to be told, when it is tried again, what it looks like, and what becomes of it in any order."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from contracts.events import billing, catalog
from eventfold import PublicRecord
from eventfold.testing import folded, record
from notifications.delivery.domain import GIVEN_UP_AFTER, MAX_RETRY_AFTER, PAUSES, Answer, not_before, retry_at
from notifications.delivery.projections import HAPPENED, HAPPENED_TABLE, HappenedRow
from notifications.event_types import TOLD
from notifications.json_schemas import data_schema, json_schema

AT = datetime(2026, 3, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[3]
GOLDENS = {one.name: ROOT / "schemas" / "golden" / f"{one.event.name}.0.json" for one in TOLD.values()}
FORBIDDEN = ("email", "phone", "username", "password", "display_name", "byline", "contact")


def sample(name: str) -> dict[str, Any]:
    """The golden sample of a type, with times as times."""
    found: dict[str, Any] = json.loads(GOLDENS[name].read_text(encoding="utf-8"))
    return {
        key: datetime.fromisoformat(value) if key.endswith("_at") and value else value for key, value in found.items()
    }


def told(name: str, seq: int, key: str = "k", **more: Any) -> PublicRecord[Any]:
    """An event of a type that is told."""
    return record(TOLD[name].event, {**sample(name), **more}, seq, key=key, occurred_at=AT)


def test_what_is_told_of_an_event_has_its_id_and_its_data() -> None:
    [row] = folded(HAPPENED, [told("order.paid", 7, creator_id="c1")])[HAPPENED_TABLE.name].values()
    body = json.loads(row.body)
    assert (row.event_id, row.type, row.concerns, row.seq, row.aggregate) == ("e7", "order.paid", "c1", 7, "stream-k")
    assert (body["id"], body["type"], body["timestamp"]) == ("e7", "order.paid", "2026-03-01T00:00:00Z")
    assert body["data"]["charged"] == sample("order.paid")["charged"]


@pytest.mark.parametrize("name", sorted(TOLD))
def test_the_body_of_each_type_is_as_its_schema_says_and_holds_no_personal_data(name: str) -> None:
    [row] = folded(HAPPENED, [told(name, 1)])[HAPPENED_TABLE.name].values()
    body, schema = json.loads(row.body), data_schema(TOLD[name].event.name)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(body["data"])
    assert not [field for field in schema["properties"] if any(word in field for word in FORBIDDEN)]
    broken = {**body["data"], schema["required"][0]: 5}
    assert list(Draft202012Validator(schema).iter_errors(broken))


def test_what_an_import_brings_in_is_told_to_nobody() -> None:
    old = record(TOLD["order.paid"].event, sample("order.paid"), 1, backfill=True)
    assert not folded(HAPPENED, [old])[HAPPENED_TABLE.name]


def test_other_types_never_reach_it() -> None:
    assert set(HAPPENED.on) == {
        billing.ORDER_PLACED,
        billing.ORDER_PAID,
        billing.PAYMENT_FAILED,
        billing.ENTITLEMENT_GRANTED,
        catalog.CONTENT_PUBLISHED,
    }


@given(st.lists(st.tuples(st.sampled_from(sorted(TOLD)), st.sampled_from("abc")), max_size=12), st.data())
def test_shuffled_across_topics_cut_and_redelivered_it_is_the_same(
    events: list[tuple[str, str]], data: st.DataObject
) -> None:
    records = [told(name, seq, key) for seq, (name, key) in enumerate(events, 1)]
    expected = folded(HAPPENED, records)
    by_topic: dict[str, list[PublicRecord[Any]]] = {}
    for one in records:
        by_topic.setdefault(one.topic, []).append(one)
    queues, mixed = [list(queue) for queue in by_topic.values()], []
    while queues := [queue for queue in queues if queue]:
        mixed.append(data.draw(st.sampled_from(queues)).pop(0))
    cut = data.draw(st.integers(0, len(mixed)))
    assert folded(HAPPENED, mixed[:cut], mixed[max(0, cut - 2) :]) == expected
    rows: dict[Any, HappenedRow] = expected[HAPPENED_TABLE.name]
    assert [row.event_id for row in sorted(rows.values(), key=lambda row: row.seq)] == [one.id for one in records]


@given(st.integers(0, 2**32))
def test_attempts_fill_24_hours_and_end_with_them(seed: int) -> None:
    uniform = random.Random(seed).random
    attempts, now = [AT], AT
    while (again := retry_at(len(attempts), AT, now, uniform)) is not None:
        assert again > now and len(attempts) < 20
        now = again
        attempts.append(now)
    assert attempts[-1] == AT + GIVEN_UP_AFTER and 13 <= len(attempts) <= 17
    assert timedelta(seconds=4) <= attempts[1] - AT <= timedelta(seconds=5)


@given(st.timedeltas(), st.sampled_from([200, 204, 302, 410, 429, 503, 0]))
def test_a_receiver_is_left_alone_as_long_as_it_asks_but_not_for_ever(asked: timedelta, status: int) -> None:
    until = not_before(Answer(status, 1, "", asked), AT)
    assert until is None if 200 <= status < 300 else until is not None and AT <= until <= AT + MAX_RETRY_AFTER
    assert not_before(Answer(status, 1, ""), AT) is None


@pytest.mark.parametrize(
    ("avro", "expected"),
    [
        ("string", {"type": "string"}),
        (["null", "string"], {"anyOf": [{"type": "null"}, {"type": "string"}]}),
        ({"type": "array", "items": "string"}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "map", "values": "boolean"}, {"type": "object", "additionalProperties": {"type": "boolean"}}),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, {"type": "string", "enum": ["a"]}),
        ({"type": "long", "logicalType": "timestamp-micros"}, {"type": "string", "format": "date-time"}),
    ],
)
def test_json_schema_of_avro(avro: Any, expected: Any) -> None:
    assert json_schema(avro) == expected


def test_what_no_event_uses_has_no_json_schema() -> None:
    with pytest.raises(ValueError, match="fixed"):
        json_schema({"type": "fixed", "name": "F", "size": 4})


def test_receivers_are_told_of_each_type_and_each_pause_as_they_are() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    for one in TOLD.values():
        [line] = [line for line in page.splitlines() if line.startswith(f"| `{one.name}` |")]
        assert ("creator" in line.split("|")[2]) is ("own" in one.scopes) and "admins" in line
    spelt = ["5 s", "30 s", "2 min", "10 min", "30 min", "1 h", "2 h", "4 h each"]
    seconds = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400]
    assert [pause.total_seconds() for pause in PAUSES] == seconds
    rows = [
        line.split("|")[2].strip() for line in page.splitlines() if line.startswith(tuple(f"| {n}" for n in "23456789"))
    ]
    assert rows[: len(spelt)] == spelt
