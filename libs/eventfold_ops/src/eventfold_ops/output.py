"""Output of commands: tables for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson

Row = TypeVar("Row")


class Refused(Exception):
    """The command is not carried out. The message gives the reason and the next step."""


def say(line: str) -> None:
    """One line on standard output."""
    sys.stdout.write(line + "\n")


def note(line: str) -> None:
    """One line on standard error, beside the result, which may be a table or JSON."""
    sys.stderr.write(line + "\n")


def say_json(document: Any) -> None:
    """One indented JSON document; times are RFC 3339."""
    say(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str).decode())


def say_either(as_json: bool, document: Any, sentence: str) -> None:
    """The result of a command: a document for programs, or a sentence for people."""
    if as_json:
        say_json(document)
    else:
        say(sentence)


def cut(rows: Sequence[Row], limit: int) -> Sequence[Row]:
    """At most `limit` of the rows. If there are more, a note says so."""
    if len(rows) > limit:
        note(f"only the first {limit} are listed")
    return rows[:limit]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their content; the last column is not padded."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(head, *texts, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *texts]
    ]
    return "\n".join(lines)


def age(seconds: float | timedelta) -> str:
    """A duration in words: `4 s`, `12 min`, `3.5 h`, `9 days`."""
    value = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    for limit, unit_s, text in ((120, 1, "{:.0f} s"), (7200, 60, "{:.0f} min"), (172_800, 3600, "{:.1f} h")):
        if value < limit:
            return text.format(value / unit_s)
    return f"{value / 86_400:.0f} days"


def _text(cell: object) -> str:
    return cell.isoformat(sep=" ", timespec="seconds") if isinstance(cell, datetime) else str(cell)
