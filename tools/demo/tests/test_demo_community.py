"""From the input files to the community."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lyceum_demo import community as made
from lyceum_demo import files, reading
from lyceum_demo.reading import Film, Purchase, Rating

SAMPLE = " 00004 0001 19970101  2   29.33\r\n 00004 0001 19970118  2   29.73\r\n 00021 0002 19970101  3    0.00\r\n"
MASTER = (
    " customer_id  date number_of_cds  dollar_value\r\n 00001 19970101  1   11.77\r\n 00002 19970112  1   12.00\r\n"
)


def bought(member: int, line: int = 1, charged_minor: int = 100, day: int = 1) -> Purchase:
    return Purchase(line, member, date(1997, 1, day), charged_minor)


def rated(member: int, item: int = 1, line: int = 2, day: int = 1) -> Rating:
    return Rating(line, member, item, 4, datetime(1997, 10, day, 8, tzinfo=UTC))


def test_given_the_sample_then_members_are_numbered_within_it_and_amounts_are_exact(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(SAMPLE.encode())
    assert reading.purchases(tmp_path / "s") == [
        Purchase(1, 1, date(1997, 1, 1), 2933),
        Purchase(2, 1, date(1997, 1, 18), 2973),
        Purchase(3, 2, date(1997, 1, 1), 0),
    ]


def test_given_the_master_file_then_its_heading_counts_as_a_line(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(MASTER.encode())
    assert [(one.line, one.member) for one in reading.purchases(tmp_path / "m")] == [(2, 1), (3, 2)]


def test_given_a_fraction_of_a_cent_then_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("00004 0001 19970101 2 29.335\n")
    with pytest.raises(ValueError, match="line 1"):
        reading.purchases(tmp_path / "s")


def test_given_ratings_of_one_moment_then_the_first_lines_are_taken(tmp_path: Path) -> None:
    rows = ["9\t1\t3\t100", "8\t1\t3\t50", "7\t1\t3\t100"]
    (tmp_path / "r").write_text("\n".join(["user_id\titem_id\trating\ttimestamp", *rows]) + "\n")
    assert [(one.member, one.line) for one in reading.ratings(tmp_path / "r", 2)] == [(8, 3), (9, 2)]
    assert len(reading.ratings(tmp_path / "r", None)) == 3


def test_live_members_are_those_who_bought_most_and_of_equals_the_smaller_number() -> None:
    purchases = [bought(member) for member in (1, 2, 2, 3, 3, 3, 4, 4, 5)]
    assert made.live_members(purchases, 1) == {3}
    assert made.live_members(purchases, 3) == {3}
    assert made.live_members(purchases, 4) == {2, 3}
    assert made.live_members(purchases, 100) == {1, 2, 3, 4, 5}


def test_every_fifth_line_bears_the_promotion_as_a_higher_list_price() -> None:
    assert [made.list_minor(bought(1, line, 100)) for line in (4, 5, 6, 10)] == [100, 300, 100, 300]


def test_members_register_when_first_seen_in_either_file() -> None:
    found = made.registrations([bought(1, day=5), bought(1, day=3)], [rated(1), rated(2, day=7)])
    assert found == {1: datetime(1997, 1, 3, 12, tzinfo=UTC), 2: datetime(1997, 10, 7, 8, tzinfo=UTC)}


def test_a_community_ends_with_its_last_day_and_recommends_to_those_who_rated_enough() -> None:
    ratings = [rated(member, item) for member in (9, 3, 5, 4) for item in range(5)] + [rated(1)]
    found = made.community([bought(1)], ratings, [])
    assert found.as_of == datetime(1997, 10, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    assert found.asked == [3, 4, 5]
    assert (found.live, found.imported) == ([bought(1)], [])


def test_the_files_are_those_that_the_importer_documents(tmp_path: Path) -> None:
    films = [Film(number, f"Film {number}", ("Drama", "War")) for number in (1, 6, 7)]
    found = made.Community(
        {4: datetime(1997, 1, 1, 12, tzinfo=UTC)},
        films,
        [rated(4, 6, 11)],
        [bought(4, 10, 0)],
        [],
        datetime(1997, 10, 1, tzinfo=UTC),
        [],
    )
    sources = {source.kind: source.path for source in files.write(tmp_path, found, "shop")}
    rows = {kind: list(csv.DictReader(path.open())) for kind, path in sources.items()}
    assert [row["external_id"] for row in rows["members"]] == [*(f"creator{n}" for n in range(1, 6)), "4"]
    assert [row["creator_external_id"] for row in rows["contents"]] == ["creator1", "creator1", "creator2"]
    assert rows["contents"][0]["tags"] == "Drama|War"
    assert rows["interactions"][0] | {"comment": "", "channel": "", "watched_ms": ""} == {
        "external_id": "11",
        "member_external_id": "4",
        "content_external_id": "6",
        "kind": "rate",
        "rating": "4",
        "occurred_at": "1997-10-01T08:00:00.000000Z",
        "comment": "",
        "channel": "",
        "watched_ms": "",
    }
    (order,) = rows["orders"]
    assert order["creator_id"] == "shop"
    assert (order["list_minor"], order["charged_minor"], order["promotion_id"]) == ("200", "0", made.IMPORTED_PROMOTION)
