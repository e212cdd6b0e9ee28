"""A catalogue of hand-written types: its page and its AsyncAPI document say what they are, who sends and who reads."""

from __future__ import annotations

from typing import Any

from eventfold_ops.catalogue import asyncapi
from eventfold_ops.catalogue.events import Catalogue, EventType, Field, Reader, Topic
from eventfold_ops.catalogue.page import page

LINE = {"type": "record", "name": "Line", "fields": [{"name": "title", "type": "string", "doc": "Of the book."}]}
LENT: dict[str, Any] = {
    "type": "record",
    "name": "Lent",
    "namespace": "example.library",
    "doc": "Books were lent.",
    "fields": [
        {"name": "reader", "type": "string", "doc": "Who has them."},
        {"name": "lent_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "lines", "type": {"type": "array", "items": LINE}},
        {"name": "first", "type": ["null", "Line"]},
        {"name": "days", "type": ["null", "int"]},
    ],
}
KIND = EventType("example.library.book.lent.v1", ("1.0", "1.1"), "the id of the book", LENT, {"reader": "r1"})
READ = Reader("desk", "library.desk", ("holdings",), ("remind",))
CATALOGUE = Catalogue(
    "Library",
    "What happens to books.",
    (
        Topic("example.library.book", "library", "/example/library", (KIND,), (READ,)),
        Topic("example.library.shelf", "library", "/example/library", (), ()),
    ),
)


def test_fields_come_in_order_with_those_of_inner_records_behind_them() -> None:
    assert KIND.fields == [
        Field("reader", "string", "Who has them."),
        Field("lent_at", "time (UTC, microseconds)", ""),
        Field("lines", "list of Line", ""),
        Field("lines.title", "string", "Of the book."),
        Field("first", "Line, optional", ""),
        Field("first.title", "string", "Of the book."),
        Field("days", "int, optional", ""),
    ]


def test_the_page_lists_topics_and_tells_each_type() -> None:
    lines = page(CATALOGUE, "# Books").splitlines()
    assert lines[0] == "# Books"
    assert "| `example.library.book` | library | [lent.v1](#examplelibrarybooklentv1) | desk |" in lines
    assert "| `example.library.shelf` | library | none yet | nobody yet |" in lines
    assert "Emitted by library. Read by desk (projection `holdings`; process `remind`)." in lines
    assert "Versions shipped: 1.0, 1.1. Partition key: the id of the book." in lines
    assert "| `lines.title` | string | Of the book. |" in lines


def test_the_document_says_who_sends_and_who_receives_what() -> None:
    said = asyncapi.document(CATALOGUE, "2.0.0")
    assert said["info"] == {"title": "Library", "version": "2.0.0", "description": "What happens to books."}
    assert {name: one["action"] for name, one in said["operations"].items()} == {
        "library.send.example.library.book": "send",
        "desk.receive.example.library.book": "receive",
        "library.send.example.library.shelf": "send",
    }
    group = said["operations"]["desk.receive.example.library.book"]["bindings"]["kafka"]["groupId"]
    assert group["const"] == "library.desk"
    message = said["components"]["messages"][KIND.name]
    assert message["payload"]["schema"] == LENT
    assert message["headers"]["allOf"][1]["properties"]["ce_source"]["const"] == "/example/library"
