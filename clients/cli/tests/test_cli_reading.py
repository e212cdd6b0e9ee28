"""From files to items: what is read, what is set aside and why."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lyceum_cli.errors import BadFile
from lyceum_cli.importing.gathering import Gathered, gather
from lyceum_cli.importing.reading import Source, read
from lyceum_cli.importing.rows import BadRow, Occurrences, item

ORDERS = "member_external_id,product_id,list_minor,charged_minor,currency,ordered_at\n"
ORDER = "4,basket,2933,2933,USD,1997-01-01T12:00:00Z\n"


def orders(folder: Path, text: str | bytes) -> Gathered:
    path = folder / "orders.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return gather([Source("orders", path)])


def test_given_identical_lines_without_external_ids_then_each_has_its_own_id_and_the_same_one_next_time(
    tmp_path: Path,
) -> None:
    first = [one.external_id for one in orders(tmp_path, ORDERS + ORDER * 3).items]
    assert [one.rpartition("#")[2] for one in first] == ["1", "2", "3"]
    assert len({one.rpartition("#")[0] for one in first}) == 1
    assert [one.external_id for one in orders(tmp_path, ORDERS + ORDER * 3).items] == first


def test_given_the_columns_in_another_order_then_the_ids_are_the_same(tmp_path: Path) -> None:
    (one,) = orders(tmp_path, ORDERS + ORDER).items
    header = "ordered_at,currency,charged_minor,list_minor,product_id,member_external_id\n"
    (other,) = orders(tmp_path, header + "1997-01-01T12:00:00Z,USD,2933,2933,basket,4\n").items
    assert other.external_id == one.external_id


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_ids_of_rows_are_distinct_and_count_occurrences(members: list[str]) -> None:
    occurrences = Occurrences(Counter())
    ids = [occurrences.external_id("orders", {"member_external_id": member, "product_id": "p"}) for member in members]
    assert len(set(ids)) == len(ids)
    assert sum(one.endswith("#1") for one in ids) == len(set(members))


def test_given_an_external_id_then_it_stands(tmp_path: Path) -> None:
    (one,) = orders(tmp_path, "external_id," + ORDERS + "x7," + ORDER).items
    assert one.external_id == one.body["external_id"] == "x7"


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("4,basket,2933,2933,USD\n", "", "has 5 fields where the header has 6"),
        ("4,basket,29.33,2933,USD,1997-01-01T12:00:00Z\n", "list_minor", "is no whole number"),
        ("4,basket,2933,,USD,1997-01-01T12:00:00Z\n", "charged_minor", "is empty"),
        ("4,basket,2933,2933,USD,1997-01-01T12:00:00\n", "ordered_at", "offset from UTC"),
        ("4,basket,2933,2933,USD,yesterday\n", "ordered_at", "is no time"),
        ("4,bas\0ket,2933,2933,USD,1997-01-01T12:00:00Z\n", "", "NUL"),
    ],
)
def test_given_a_bad_row_then_it_is_set_aside_with_its_line_and_the_others_go_on(
    tmp_path: Path, line: str, field: str, reason: str
) -> None:
    found = orders(tmp_path, ORDERS + ORDER + line + ORDER)
    (reject,) = found.rejects
    assert (reject.source, reject.line, reject.field) == (0, 3, field)
    assert reason in reject.reason
    assert [one.line for one in found.items] == [2, 4]


def test_given_bytes_that_are_no_utf8_then_only_their_row_is_set_aside(tmp_path: Path) -> None:
    found = orders(tmp_path, (ORDERS + ORDER).encode() + b"\xff" + ORDER.encode() + ORDER.encode())
    assert [(one.line, one.reason) for one in found.rejects] == [(3, "is not UTF-8")]
    assert len(found.items) == 2


def test_given_line_breaks_inside_quotes_then_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('a,b\n1,"two\nlines"\n3,4\n')
    assert [(line.number, line.fields) for line in read(path).lines] == [(2, ("1", "two\nlines")), (4, ("3", "4"))]


def test_given_a_quote_that_never_ends_then_it_is_set_aside_not_swallowed(tmp_path: Path) -> None:
    found = orders(tmp_path, ORDERS + ORDER + '"4,basket\n')
    assert [(one.line, one.field) for one in found.rejects] == [(3, "")]
    assert "is no CSV" in found.rejects[0].reason


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("member_external_id,product_id\n", "lacks the columns: list_minor, charged_minor, currency, ordered_at"),
        ("colour," + ORDERS, "has unknown columns: colour"),
        ("product_id," + ORDERS, "names a column twice"),
    ],
)
def test_given_a_header_that_cannot_be_used_then_the_file_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(BadFile, match=complaint):
        orders(tmp_path, text)


def test_given_no_file_then_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="No such file"):
        gather([Source("orders", tmp_path / "absent.csv")])


def test_given_a_time_with_an_offset_then_it_is_sent_as_utc() -> None:
    row = {"external_id": "1", "username": "ann", "registered_at": "2024-01-31T08:00:00.5+08:00"}
    one = item("members", 0, 2, row, Occurrences(Counter()))
    assert one.at == datetime(2024, 1, 31, 0, 0, 0, 500_000, UTC)
    assert one.body["registered_at"] == "2024-01-31T00:00:00.500000Z"


def test_given_content_then_tags_are_split_and_blank_ones_dropped() -> None:
    row = {
        "external_id": "1",
        "creator_external_id": "c",
        "title": "T",
        "kind": "video",
        "tags": "a| b ||c",
        "published_at": "2024-01-31T08:00:00Z",
    }
    assert item("contents", 0, 2, row, Occurrences(Counter())).body["tags"] == ["a", "b", "c"]


def test_refusals_never_repeat_the_value() -> None:
    row = {"external_id": "1", "username": "ann", "registered_at": "secret-value"}
    with pytest.raises(BadRow) as refusal:
        item("members", 0, 2, row, Occurrences(Counter()))
    assert "secret-value" not in str(refusal.value)
