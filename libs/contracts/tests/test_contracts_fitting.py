"""What is not what its schema says is refused before it is encoded; what is accepted is read as it was."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.avro import AvroCodec
from contracts.fitting import DoesNotFit, fitting
from contracts.golden import golden_files, read_golden

NOW = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
DAY = {"type": "int", "logicalType": "date"}
COLOUR = {"type": "enum", "name": "colour", "symbols": ["RED"]}
INNER = {"type": "record", "name": "inner", "fields": [{"name": "n", "type": "int"}]}
GOLDEN = Path(__file__).parents[3] / "schemas" / "golden"


def record(schema: Any) -> Any:
    return parse_schema({"type": "record", "name": "r", "fields": [{"name": "f", "type": schema}]})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("long", 1.5),
        ("long", 1.0),
        ("long", True),
        ("long", 2**63),
        ("int", 2**31),
        ("int", -(2**31) - 1),
        ("int", "1"),
        ("boolean", 1),
        ("double", float("nan")),
        ("double", True),
        ("double", 2**53 + 1),
        ("float", 0.1),
        ("float", 1e300),
        ("string", b"x"),
        ("string", "a\x00b"),
        ("bytes", "x"),
        ("null", 0),
        (COLOUR, "BLUE"),
        (COLOUR, 0),
        (["null", "long"], 1.5),
        (["null", "string"], 1),
        (["null", "int"], 2**31),
        (["int", "string"], 1.5),
        (MICROS, NOW.replace(tzinfo=None)),
        (MICROS, 5),
        (MILLIS, NOW),
        (DAY, NOW),
        (DAY, 1),
        ({"type": "array", "items": "int"}, [1, 2**31]),
        ({"type": "array", "items": "int"}, {1}),
        ({"type": "map", "values": "long"}, {"a": 1.5}),
        (INNER, {"n": True}),
        (INNER, [1]),
        ({"type": "fixed", "name": "four", "size": 4}, b"12345"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, "1.5"),
    ],
)
def test_what_is_not_what_the_schema_says_is_refused(schema: Any, value: Any) -> None:
    with pytest.raises(DoesNotFit) as refused:
        fitting(record(schema))({"f": value})
    assert refused.value.path.startswith("f") and repr(value) not in str(refused.value)


SCHEMAS = ["null", "boolean", "int", "long", "float", "double", "string", "bytes", MICROS, MILLIS, DAY, COLOUR, INNER]
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, 2**31 - 1, -(2**31), 2**63, 2**53 + 1, "RED"])
    | st.floats()
    | st.floats(width=32)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.dates()
    | st.just({"n": 1})
)


@settings(max_examples=500)
@given(schema=st.sampled_from(SCHEMAS), optional=st.booleans(), value=values)
def test_what_is_accepted_is_read_as_it_was(schema: Any, optional: bool, value: Any) -> None:
    parsed = record(["null", schema] if optional and schema != "null" else schema)
    try:
        fitting(parsed)({"f": value})
    except DoesNotFit:
        return
    buffer = io.BytesIO()
    schemaless_writer(buffer, parsed, {"f": value}, strict=True)
    buffer.seek(0)
    found: Any = schemaless_reader(buffer, parsed, None)
    assert found == {"f": value} and isinstance(value, bool) == isinstance(found["f"], bool)


def test_a_type_that_is_named_before_is_checked_too() -> None:
    fields = [{"name": "a", "type": INNER}, {"name": "b", "type": "inner"}]
    twice = parse_schema({"type": "record", "name": "r", "fields": fields})
    with pytest.raises(DoesNotFit, match=r"b\.n"):
        fitting(twice)({"a": {"n": 1}, "b": {"n": 1.5}})
    fitting(record(DAY))({"f": date(2026, 1, 1)})


@pytest.mark.parametrize("path", golden_files(GOLDEN), ids=lambda path: path.stem)
def test_every_golden_of_a_newest_version_fits(path: Path) -> None:
    codec, (type_name, _, _) = AvroCodec(), path.stem.rpartition(".")
    codec.encode(type_name, read_golden(path))


def test_encoding_refuses_it_and_names_the_field() -> None:
    path = GOLDEN / "lyceum.billing.order.paid.v1.0.json"
    datum = read_golden(path)
    money = next(name for name, value in datum.items() if isinstance(value, dict) and "amount_minor" in value)
    datum[money]["amount_minor"] += 0.5
    with pytest.raises(DoesNotFit, match=f"{money}.amount_minor"):
        AvroCodec().encode("lyceum.billing.order.paid.v1", datum)
