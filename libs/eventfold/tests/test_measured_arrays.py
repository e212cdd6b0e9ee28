"""Array literals read back by PostgreSQL as what they were made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventfold.measured.arrays import literal
from eventfold.vocabulary.exact import Inexact

TEXTS = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"', "\\", "NULL", "null", "{}", ",", " ", "", '\\"', "{a,b}", "知识"]
)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
JSON = st.recursive(st.none() | st.booleans() | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner))
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double precision": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "bytea": st.binary(max_size=8),
    "timestamptz": TIMES,
    "date": st.dates(date(1, 1, 1)),
    "jsonb": st.lists(JSON, max_size=3) | st.dictionaries(TEXTS, JSON, max_size=3),
}


@pytest.fixture(scope="module")
def conn(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as one:
        yield one


def read_back(conn: psycopg.Connection[Any], kind: str, values: Sequence[Any]) -> list[Any]:
    row = conn.execute(f"SELECT %s::{kind}[]", [literal(kind, values)]).fetchone()
    assert row is not None
    return list(row[0])


@pytest.mark.parametrize("kind", COLUMNS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_goes_in_comes_back(conn: psycopg.Connection[Any], kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | COLUMNS[kind], max_size=6).map(tuple))
    assert read_back(conn, kind, values) == list(values)


@pytest.mark.parametrize("kind", [kind for kind in COLUMNS if kind != "jsonb"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_they_agree_with_the_drivers_own_lists(conn: psycopg.Connection[Any], kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | COLUMNS[kind], max_size=6))
    row = conn.execute(f"SELECT %s::{kind}[]", [values]).fetchone()
    assert row is not None and row[0] == read_back(conn, kind, values)


@pytest.mark.parametrize("kind", COLUMNS)
def test_no_values_are_an_empty_array(conn: psycopg.Connection[Any], kind: str) -> None:
    assert read_back(conn, kind, ()) == []


@pytest.mark.parametrize("value", [[float("nan")], {"a": float("inf")}, {"a": (1, 2)}, {1: "a"}], ids=str)
def test_a_row_whose_json_would_be_read_as_another_is_refused(value: object) -> None:
    with pytest.raises(Inexact):
        literal("jsonb", [value])
