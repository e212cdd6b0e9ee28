"""From files to items: what is read, what is set aside and why."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.external_ids import imported_id
from lyceum_cli.errors import BadFile
from lyceum_cli.importing.gathering import Gathered, gather
from lyceum_cli.importing.reading import MAX_ROW_LINES, Format, Source, read
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
        ("4,,2933,2933,USD,1997-01-01T12:00:00Z\n", "product_id", "one of them must be filled"),
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
    assert found.rejects[0].reason == "is no CSV: a quote is opened and not closed"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        (
            "member_external_id,product_id\n",
            "lacks the columns: list_minor, charged_minor, currency, ordered_at; found: member_external_id, product",
        ),
        (ORDERS.replace("product_id", "external_id"), "lacks the columns: product_id or content_external_id; found:"),
        (ORDERS.replace(",", ";"), "say --delimiter"),
        ("\x1b[31m\n", r"found: \?\[31m;"),
        ('"' + ORDERS, "the header is no CSV: a quote is opened and not closed"),
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
        "access": "free",
        "tags": "a| b ||c",
        "published_at": "2024-01-31T08:00:00Z",
    }
    assert item("contents", 0, 2, row, Occurrences(Counter())).body["tags"] == ["a", "b", "c"]


def test_refusals_never_repeat_the_value() -> None:
    row = {"external_id": "1", "username": "ann", "registered_at": "secret-value"}
    with pytest.raises(BadRow) as refusal:
        item("members", 0, 2, row, Occurrences(Counter()))
    assert "secret-value" not in str(refusal.value)


MEMBERS = "external_id,username,registered_at\n"


def people(folder: Path, lines: list[str], header: str = MEMBERS) -> Gathered:
    path = folder / "members.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines))
    return gather([Source("members", path)])


def member(number: int) -> str:
    return f"{number},member{number},2024-01-01T00:00:00Z"


@pytest.mark.parametrize("header", [MEMBERS, "external_id,username,role,registered_at\n"])
def test_given_no_role_then_the_member_is_a_consumer(tmp_path: Path, header: str) -> None:
    line = member(1) if header == MEMBERS else "1,member1,,2024-01-01T00:00:00Z"
    (one,) = people(tmp_path, [line], header).items
    assert one.body["role"] == "consumer"


@pytest.mark.parametrize(
    "spoilt",
    [
        '6,"member6,2024-01-01T00:00:00Z',  # open to the end of the file
        '"6,member6,2024-01-01T00:00:00Z',
        '6,member6,"2024-01-01T00:00:00Z',
    ],
)
@pytest.mark.parametrize(
    "below", [{}, {500: '500,member500",2024-01-01T00:00:00Z'}, {9: '9,"member9",2024-01-01T00:00:00Z'}]
)
def test_given_a_stray_quote_in_row_6_of_1000_then_no_other_row_is_lost(
    tmp_path: Path, spoilt: str, below: dict[int, str]
) -> None:
    lines = [below.get(number, member(number)) for number in range(1, 1001)]
    lines[5] = spoilt
    found = people(tmp_path, lines)
    assert len(found.items) + len(found.rejects) == found.rows("members") == 1000
    assert found.rejects[0].line == 7
    assert {one.line for one in found.rejects} <= {7, 501}
    assert [one.number for one in found.tables[0].lines] == list(range(2, 1002))
    assert found.tables[0].lines[5].fields == (spoilt,)


def test_given_a_text_of_too_many_lines_then_each_is_refused_and_none_is_read_as_a_row(tmp_path: Path) -> None:
    path = tmp_path / "interactions.csv"
    forged = "9,c1,like,2024-01-01T00:00:00Z,\n" * MAX_ROW_LINES
    rows = f'1,c1,comment,2024-01-01T00:00:00Z,"so\n{forged}far"\n2,c1,like,2024-01-01T00:00:00Z,\n'
    path.write_text("member_external_id,content_external_id,kind,occurred_at,comment\n" + rows)
    found = gather([Source("interactions", path)])
    assert [one.body["member_external_id"] for one in found.items] == ["2"]
    assert [one.line for one in found.rejects] == list(range(2, MAX_ROW_LINES + 4))
    assert {one.reason for one in found.rejects} == {"is part of a row of 1002 lines from line 2 on; 1000 may be"}


def test_given_an_id_twice_then_the_same_row_is_kept_and_another_one_refused(tmp_path: Path) -> None:
    found = people(tmp_path, [member(1), member(1), "1,somebody,2024-01-01T00:00:00Z", member(2)])
    assert [one.external_id for one in found.items] == ["1", "1", "2"]
    assert [(one.line, one.field, one.reason) for one in found.rejects] == [
        (4, "external_id", "is that of line 2, which says something else")
    ]


def test_given_an_id_in_two_files_then_the_reason_names_the_other_file(tmp_path: Path) -> None:
    for name, text in (("a", member(1)), ("b", "1,somebody,2024-01-01T00:00:00Z")):
        (tmp_path / f"{name}.csv").write_text(f"{MEMBERS}{text}\n")
    found = gather([Source("members", tmp_path / "a.csv"), Source("members", tmp_path / "b.csv")])
    assert [(one.source, one.reason) for one in found.rejects] == [
        (1, "is that of line 2 of a.csv, which says something else")
    ]


CONTENT_ORDERS = ORDERS.replace("product_id", "content_external_id")


def test_given_an_order_of_content_then_it_is_sent_with_the_id_that_the_content_gets(tmp_path: Path) -> None:
    (one,) = orders(tmp_path, CONTENT_ORDERS + ORDER).items
    assert one.content == "basket"
    assert one.sent("d")["product_id"] == imported_id("content", "d", "basket")
    assert one.sent("茶道")["product_id"] == imported_id("content", "茶道", "basket")


def test_given_an_order_of_a_product_and_of_content_then_it_is_refused(tmp_path: Path) -> None:
    found = orders(tmp_path, "content_external_id," + ORDERS + "c1," + ORDER)
    assert [(one.field, "only one of them" in one.reason) for one in found.rejects] == [("product_id", True)]


def test_an_order_without_an_id_keeps_the_one_that_it_always_had(tmp_path: Path) -> None:
    (plain,) = orders(tmp_path, ORDERS + ORDER).items
    (wider,) = orders(tmp_path, "content_external_id," + ORDERS + "," + ORDER).items
    (of_content,) = orders(tmp_path, CONTENT_ORDERS + ORDER).items
    assert plain.external_id == wider.external_id != of_content.external_id
    digested = ("2933", "USD", "2933", "4", "1997-01-01T12:00:00Z", "basket", "")
    assert plain.external_id == f"{hashlib.sha256(chr(31).join(digested).encode()).hexdigest()}#1"


def written(folder: Path, text: bytes, form: Format) -> Gathered:
    (folder / "orders.csv").write_bytes(text)
    return gather([Source("orders", folder / "orders.csv")], form=form)


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-16", "utf-8"])
def test_given_another_encoding_and_delimiter_then_the_rows_are_the_same(tmp_path: Path, encoding: str) -> None:
    text = (ORDERS + ORDER.replace("basket", "茶道")).replace(",", ";")
    (one,) = written(tmp_path, text.encode(encoding), Format(";", encoding)).items
    assert one.body["product_id"] == "茶道"


def test_given_bytes_of_another_encoding_then_the_row_or_the_file_is_refused(tmp_path: Path) -> None:
    spoilt = ORDERS.encode("gbk") + ORDER.encode() + b"\xff\xff" + ORDER.encode()
    assert [(one.line, one.reason) for one in written(tmp_path, spoilt, Format(encoding="gbk")).rejects] == [
        (3, "is not gbk")
    ]
    with pytest.raises(BadFile, match="is not in utf-16"):
        written(tmp_path, b"abc", Format(encoding="utf-16"))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.90", "CNY", "1290"),
        ("12.9", "CNY", "1290"),
        ("12", "CNY", "1200"),
        ("0.07", "USD", "7"),
        ("90071992547409.93", "USD", "9007199254740993"),
        ("100", "JPY", "100"),
        ("1.234", "KWD", "1234"),
        ("12.90", "BGN", "1290"),
        ("12.90", "DEM", "1290"),
        ("1000", "ITL", "1000"),
    ],
)
def test_given_major_units_then_they_are_sent_as_exactly_so_many_minor_ones(
    tmp_path: Path, text: str, currency: str, minor: str
) -> None:
    row = f"4,basket,{text},{text},{currency},1997-01-01T12:00:00Z\n"
    (one,) = written(tmp_path, (ORDERS + row).encode(), Format(amounts="major")).items
    assert one.body["list"] == one.body["charged"] == {"amount_minor": minor, "currency": currency}


@pytest.mark.parametrize(
    ("text", "currency", "reason"),
    [
        ("12.905", "CNY", "has more decimals than the 2 of its currency"),
        ("100.0", "JPY", "has more decimals than the 0 of its currency"),
        ("12.90", "ABC", "decimals are not known"),
        ("1e2", "CNY", "is no amount like 12.90"),
        ("1 200", "CNY", "is no amount like 12.90"),
        ("１２", "CNY", "is no amount like 12.90"),
    ],
)
def test_given_major_units_that_are_none_then_the_row_is_refused(
    tmp_path: Path, text: str, currency: str, reason: str
) -> None:
    row = f"4,basket,{text},1,{currency},1997-01-01T12:00:00Z\n"
    (reject,) = written(tmp_path, (ORDERS + row).encode(), Format(amounts="major")).rejects
    assert reject.field == "list_minor" and reason in reject.reason


def test_given_the_same_order_in_major_units_then_it_is_the_same_order(tmp_path: Path) -> None:
    (minor,) = orders(tmp_path, ORDERS + ORDER).items
    major = (ORDERS + ORDER.replace("2933", "29.33")).encode()
    assert written(tmp_path, major, Format(amounts="major")).items[0].external_id == minor.external_id
