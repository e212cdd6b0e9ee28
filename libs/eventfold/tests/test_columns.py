"""Values of an older minor as columns of the newest one."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import polars as pl
import pytest
from fastavro import schemaless_writer

from eventfold.fold.columns import Block, Unreadable
from eventfold.vocabulary.public import Written

FRAME = b"\xc3\x01" + b"schema-a"
MONEY = {"type": "record", "name": "Money", "fields": [{"name": "amount_minor", "type": "long"}]}


def block(written: list[Any], newest: list[Any]) -> Block:
    """Values written with these fields, read as those of the newest minor."""
    own, latest = ({"type": "record", "name": "Sold", "fields": fields} for fields in (written, newest))
    return Block(Written("sold", FRAME, own, latest))


def value(fields: list[Any], data: dict[str, Any]) -> bytes:
    out = BytesIO(FRAME)
    out.seek(len(FRAME))
    schemaless_writer(out, {"type": "record", "name": "Sold", "fields": fields}, data)
    return out.getvalue()


OLD = [{"name": "count", "type": "int"}]


def test_a_record_that_the_writer_did_not_have_is_null_in_each_of_its_parts() -> None:
    newest = [*OLD, {"name": "off", "type": ["null", MONEY], "default": None}]
    found = block(OLD, newest).read([value(OLD, {"count": 3})], ["count", "off"])
    assert found.select("count", pl.col("off").struct.field("amount_minor")).rows() == [(3, None)]


@pytest.mark.parametrize(("kind", "default"), [(["null", "int"], None), ("long", 0)])
def test_a_field_whose_type_has_changed_is_never_taken_for_its_default(kind: Any, default: Any) -> None:
    newest = [{"name": "count", "type": kind, "default": default}]
    with pytest.raises(Unreadable, match="count"):
        block(OLD, newest).read([value(OLD, {"count": 3})], ["count"])


def test_a_field_that_no_minor_has_is_not_readable() -> None:
    with pytest.raises(Unreadable, match="other"):
        block(OLD, OLD).read([value(OLD, {"count": 3})], ["other"])


MANY = 5_000


@pytest.mark.parametrize("null_first", [True, False])
def test_nulls_are_where_they_were_written_wherever_the_schema_names_them(null_first: bool) -> None:
    """Readers of Avro have taken null for the first of a union, and lost values at the bounds of their own batches."""

    def or_null(kind: Any) -> list[Any]:
        return ["null", kind] if null_first else [kind, "null"]

    amount = {"name": "amount_minor", "type": or_null("long")}
    fields = [
        {"name": "name", "type": or_null("string")},
        {"name": "off", "type": or_null({**MONEY, "fields": [amount]})},
    ]
    off = ((None, None), ({"amount_minor": None}, None), ({"amount_minor": 7}, 7))
    names = [None if n % 7 else str(n) for n in range(MANY)]
    rows = [{"name": name, "off": off[n % 3][0]} for n, name in enumerate(names)]
    found = block(fields, fields).read([value(fields, one) for one in rows], ["name", "off"])
    read = found.select("name", pl.col("off").struct.field("amount_minor")).rows()
    assert read == [(name, off[n % 3][1]) for n, name in enumerate(names)]
