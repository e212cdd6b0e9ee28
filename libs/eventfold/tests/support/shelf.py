"""A small domain for the mechanism's own tests: shelves that take books, and a projection that counts them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

from eventfold import (
    Ask,
    Changes,
    Decider,
    Draft,
    EventCodec,
    FoldGroup,
    Item,
    Key,
    Projection,
    PublicEvent,
    PublicRecord,
    PublicType,
    ReadTable,
    Recorded,
    Rows,
    StreamType,
)
from eventfold.errors import Poison, WrongState
from eventfold.publish.publisher import Avro

CAPACITY_BOOKS = 1_000_000


@dataclass(frozen=True, slots=True)
class AddBook:
    title: str


@dataclass(frozen=True, slots=True)
class BookAdded:
    title: str


@dataclass(frozen=True, slots=True)
class Audited:
    """Private: it has no public form."""


@dataclass(frozen=True, slots=True)
class Shelf:
    titles: frozenset[str] = frozenset()


def decide(command: AddBook, state: Shelf) -> Sequence[BookAdded | Audited]:
    if command.title == "":
        raise WrongState("a book needs a title", field="title")
    if command.title in state.titles:
        return []
    return [Audited()] if command.title == "audit" else [BookAdded(command.title)]


def evolve(state: Shelf, event: BookAdded | Audited) -> Shelf:
    return Shelf(state.titles | {event.title}) if isinstance(event, BookAdded) else state


DECIDER = Decider(Shelf(), decide, evolve)
SHELF = StreamType("shelf", DECIDER)
HOT_SHELF = StreamType("hotshelf", DECIDER, hot=True)
CODEC = EventCodec({BookAdded: ("book.added", 1), Audited: ("shelf.audited", 1)})


class Filled(TypedDict):
    shelf: str
    title: str


FILLED = PublicType("test.library.shelf.filled.v1", Filled)
TOPIC = FILLED.topic


def to_public(recorded: Recorded) -> PublicEvent | None:
    if isinstance(recorded.event, Audited):
        return None
    return FILLED({"shelf": recorded.stream, "title": recorded.event.title})


class JsonInsteadOfAvro(Avro):
    """Stands in for the contracts library, which has tests of its own."""

    content_type = "application/json"

    def encode(self, type_name: str, datum: Any) -> bytes:
        if datum["title"] == "unpublishable":
            raise ValueError(type_name)
        return json.dumps({"type": type_name} | datum).encode()

    def decode(self, value: bytes) -> Any:
        return {name: field for name, field in json.loads(value).items() if name != "type"}

    def written_as(self, value: bytes) -> tuple[str, str]:
        written = json.loads(value)["type"]
        return written, f"urn:{written}"


def add(shelf: str, title: str, kind: StreamType[Any, Any, Any] = SHELF) -> Item:
    return Item((Ask(kind, shelf, AddBook(title)),))


class CountRow(NamedTuple):
    shelf: str
    books: int
    digest: str


COUNTS = ReadTable("shelf_count", CountRow)


def keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    return {COUNTS.name: [(event.data["shelf"],) for event in events]}


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """Counts books as `count` does, up to a poisonous title."""
    poison = next((event for event in events if event.data["title"] == "poison"), None)
    if poison is not None:
        raise Poison(poison.id, "poisonous title")
    return count(rows, events)


def count(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """Counts books per shelf and keeps their titles in the order of application, so that disorder shows."""
    draft = Draft(rows)
    for event in events:
        shelf = event.data["shelf"]
        row = draft.get(COUNTS, (shelf,)) or CountRow(shelf, 0, "")
        draft.put(COUNTS, CountRow(shelf, row.books + 1, row.digest + event.data["title"] + ";"))
    return draft.changes()


COUNTING = Projection("counting", (FILLED,), (COUNTS,), keys, fold)
SHELVES = FoldGroup("shelves", (COUNTING,), parks=True)
