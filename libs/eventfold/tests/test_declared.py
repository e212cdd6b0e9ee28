"""Declared projections: what each kind of change makes of rows, and what cannot be declared."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import NamedTuple, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventfold import (
    PublicRecord,
    PublicType,
    ReadTable,
    adds,
    becomes,
    latest,
    least,
    most,
    on,
    projection,
    puts,
    sets,
)
from eventfold.fold.declared import NotDeclarable
from eventfold.testing import folded, record


class Lent(TypedDict):
    book: str
    reader: str
    day: int


class Returned(TypedDict):
    book: str
    day: int


LENT = PublicType("example.library.book.lent.v1", Lent)
RETURNED = PublicType("example.library.return.returned.v1", Returned)


class BookRow(NamedTuple):
    book: str
    loans: int = 0
    days: int = 0
    first_day: int | None = None
    last_day: int | None = None
    last_reader: str | None = None
    last_lent: int | None = None


class LoanRow(NamedTuple):
    book: str
    reader: str
    day: int


BOOKS = ReadTable("book", BookRow)
LOANS = ReadTable("loan", LoanRow, key_columns=3)
LIBRARY = projection(
    "library",
    on(
        BOOKS,
        LENT,
        adds(loans=1, days=lambda data: data["day"]),
        least(first_day=lambda data: data["day"]),
        most(last_day=lambda data: data["day"]),
        latest("last_lent", last_lent=lambda data: data["day"], last_reader=lambda data: data["reader"]),
    ),
    on(BOOKS, RETURNED, most(last_day=lambda data: data["day"])),
    puts(LOANS, LENT),
)

lent = st.builds(
    lambda book, day: (LENT, Lent(book=book, reader=f"r{day}", day=day)), st.sampled_from("ab"), st.integers(0, 99)
)
returned = st.builds(
    lambda book, day: (RETURNED, Returned(book=book, day=day)), st.sampled_from("ab"), st.integers(0, 99)
)
facts = st.lists(lent | returned, max_size=20)


def recounted(events: list[tuple[PublicType, Lent | Returned]]) -> dict[tuple[str], BookRow]:
    """The same by looking at all of a book's facts."""
    of_book = defaultdict(list)
    for kind, data in events:
        of_book[data["book"],].append((kind, data))
    rows = {}
    for key, own in of_book.items():
        days = [data["day"] for kind, data in own if kind is LENT]
        last = max(days, default=None)
        rows[key] = BookRow(
            *key,
            len(days),
            sum(days),
            min(days, default=None),
            max(data["day"] for _, data in own),
            None if last is None else f"r{last}",
            last,
        )
    return rows


@given(facts, st.randoms(use_true_random=False), st.integers(1, 5))
def test_sums_and_marks_are_what_a_recount_says_in_any_order_and_however_batches_are_cut(
    events: list[tuple[PublicType, Lent | Returned]], rng: random.Random, size: int
) -> None:
    rng.shuffle(shuffled := list(events))
    records = [record(kind, data, seq) for seq, (kind, data) in enumerate(shuffled, 1)]
    tables = folded(LIBRARY, *(records[at : at + size] for at in range(0, len(records), size)))
    assert tables["book"] == recounted(events)
    assert set(tables["loan"]) == {tuple(data.values()) for kind, data in events if kind is LENT}


def test_what_is_set_is_what_the_last_event_said_and_an_unknown_row_stays_unknown() -> None:
    setting = projection("setting", on(BOOKS, LENT, sets(last_reader=lambda data: data["reader"]), known_only=True))
    events = [record(LENT, {"book": "a", "reader": reader, "day": 1}, seq) for seq, reader in enumerate("xy", 1)]
    assert folded(setting, events) == {"book": {}}
    made = projection("made", on(BOOKS, LENT, sets(last_reader=lambda data: data["reader"])))
    assert folded(made, events)["book"] == {("a",): BookRow("a", last_reader="y")}


def test_a_function_says_what_no_declaration_can() -> None:
    def then(row: BookRow | None, event: PublicRecord[Lent]) -> BookRow | None:
        return BookRow(event.data["book"], loans=event.seq) if row is None else None

    first_only = projection("first", becomes(BOOKS, LENT, then))
    events = [record(LENT, {"book": "a", "reader": "x", "day": 1}, seq) for seq in (3, 4)]
    assert folded(first_only, events)["book"] == {("a",): BookRow("a", loans=3)}


def test_topics_types_and_tables_follow_from_the_rules() -> None:
    assert LIBRARY.topics == ("example.library.book", "example.library.return")
    assert LIBRARY.on == (LENT, RETURNED) and LIBRARY.tables == (BOOKS, LOANS)


def test_what_need_not_be_read_is_not_loaded() -> None:
    event = record(LENT, Lent(book="a", reader="x", day=1))
    assert LIBRARY.keys([event]) == {"book": [("a",)], "loan": []}


class Bare(NamedTuple):
    book: str
    loans: int


@pytest.mark.parametrize(
    ("declare", "reason"),
    [
        (lambda: on(BOOKS, LENT, adds(lonas=1)), "no column lonas"),
        (lambda: on(BOOKS, LENT, adds(book=1)), "no column book"),
        (lambda: on(BOOKS, LENT, latest("last_lent", last_reader=lambda data: data["reader"])), "no column last_lent"),
        (lambda: on(ReadTable("bare", Bare), RETURNED), "a new row would have no loans"),
        (lambda: on(LOANS, RETURNED), "the event has no field reader"),
        (lambda: puts(BOOKS, LENT), "the event has no field loans"),
    ],
)
def test_what_table_or_event_do_not_have_cannot_be_declared(declare: object, reason: str) -> None:
    assert callable(declare)
    with pytest.raises(NotDeclarable, match=reason):
        declare()
