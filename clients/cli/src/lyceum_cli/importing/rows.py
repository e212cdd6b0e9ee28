"""From named text to what the gateway takes; every complaint names its column and never repeats the value."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lyceum_cli.importing import money
from lyceum_cli.importing.columns import COLUMNS, Kind
from lyceum_cli.importing.ids import content_id
from lyceum_cli.importing.reading import Amounts

TAG_SEPARATOR: Final = "|"
FIELD_SEPARATOR: Final = "\x1f"
DEFAULT_ROLE: Final = "consumer"
UNCOUNTED: Final = frozenset({"external_id", "creator_id"})
"""Columns that do not tell one row from another: with or without them it is the same fact."""
SINCE: Final = frozenset({"content_external_id"})
"""Columns of orders that came later: rows without them keep the ids that they had before."""
Row = Mapping[str, str]


class BadRow(ValueError):
    """A row cannot be sent. `column` is the offending one, empty where it is the whole row."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


@dataclass(frozen=True, slots=True)
class Item:
    """A row ready to be sent. `source` is the number of its file, `line` where it stands there; `content` the external
    id of the content that it is about, empty where it names none. `first_counts`: rows that share its external id may
    say something else, and count as duplicates.
    """

    kind: Kind
    source: int
    line: int
    external_id: str
    at: datetime
    body: Mapping[str, Any]
    content: str = ""
    first_counts: bool = False

    def sent(self, dataset: str) -> Mapping[str, Any]:
        """What the gateway takes: an order names content by its id."""
        if self.kind == "orders" and self.content:
            return {**self.body, "product_id": content_id(dataset, self.content)}
        return self.body


@dataclass
class Occurrences:
    """Counts rows of the same content, which are distinct facts: two equal purchases are two purchases."""

    seen: Counter[bytes]

    def external_id(self, kind: Kind, row: Row) -> str:
        """`<sha256 of the documented columns>#<occurrence from 1>`: the same for ever for the same file."""
        later = SINCE if kind == "orders" else frozenset[str]()
        names = sorted(set(COLUMNS[kind].all) - later - UNCOUNTED)
        texts = [row.get(name, "") for name in names] + [row[name] for name in sorted(later) if row.get(name)]
        digest = hashlib.sha256(FIELD_SEPARATOR.join(texts).encode())
        self.seen[digest.digest()] += 1
        return f"{digest.hexdigest()}#{self.seen[digest.digest()]}"


def item(kind: Kind, source: int, line: int, row: Row, occurrences: Occurrences) -> Item:
    """The item of a row. Raises `BadRow`."""
    external_id = row.get("external_id") or occurrences.external_id(kind, row)
    _check_filled(kind, row)
    at = moment(row, COLUMNS[kind].time)
    return Item(
        kind=kind,
        source=source,
        line=line,
        external_id=external_id,
        at=at,
        body={"external_id": external_id, **_BODIES[kind](row, at)},
        content=row.get("content_external_id", ""),
    )


def in_minor_units(kind: Kind, row: Row, amounts: Amounts) -> Row:
    """The row with its amounts in minor units. Raises `BadRow`."""
    if amounts == "minor" or kind != "orders":
        return row
    return {**row, **{name: _minor(row, name) for name in ("list_minor", "charged_minor") if row.get(name)}}


def _minor(row: Row, column: str) -> str:
    try:
        return money.minor(row[column], row.get("currency", ""))
    except money.NoAmount as failure:
        raise BadRow(column, str(failure)) from failure


def _check_filled(kind: Kind, row: Row) -> None:
    columns = COLUMNS[kind]
    for name in columns.required:
        if not row.get(name):
            raise BadRow(name, "is empty")
    filled = [name for name in columns.either if row.get(name)]
    if columns.either and len(filled) != 1:
        wrong = "only one of them may be filled" if filled else "one of them must be filled"
        raise BadRow(columns.either[0], f"{' or '.join(columns.either)}: {wrong}")


def moment(row: Row, column: str) -> datetime:
    """A time of ISO 8601 with its offset, as UTC. Raises `BadRow`."""
    try:
        found = datetime.fromisoformat(row[column])
    except ValueError as failure:
        raise BadRow(column, "is no time like 2024-01-31T08:00:00Z") from failure
    if found.tzinfo is None:
        raise BadRow(column, "does not say its offset from UTC (end it with Z for UTC)")
    return found.astimezone(UTC)


def instant(at: datetime) -> str:
    """A time as the gateway takes it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _member(row: Row, at: datetime) -> dict[str, Any]:
    return {"username": row["username"], "role": row.get("role") or DEFAULT_ROLE, "registered_at": instant(at)}


def _content(row: Row, at: datetime) -> dict[str, Any]:
    texts = {
        name: row.get(name, "")
        for name in ("creator_external_id", "title", "byline", "kind", "body", "category", "access")
    }
    tags = [tag.strip() for tag in row.get("tags", "").split(TAG_SEPARATOR) if tag.strip()]
    return {**texts, "tags": tags, "published_at": instant(at)}


def _interaction(row: Row, at: datetime) -> dict[str, Any]:
    act = {
        "kind": row["kind"],
        "rating": _integer(row, "rating"),
        "comment": row.get("comment", ""),
        "channel": row.get("channel", ""),
        "watched_ms": str(_integer(row, "watched_ms")),
    }
    ids = {name: row[name] for name in ("member_external_id", "content_external_id")}
    return {**ids, "interaction": act, "occurred_at": instant(at)}


def _order(row: Row, at: datetime) -> dict[str, Any]:
    return {
        "member_external_id": row["member_external_id"],
        "product_id": row.get("product_id", ""),
        "list": _money(row, "list_minor"),
        "charged": _money(row, "charged_minor"),
        "promotion_id": row.get("promotion_id", ""),
        "creator_id": row.get("creator_id", ""),
        "ordered_at": instant(at),
    }


def _money(row: Row, column: str) -> dict[str, str]:
    return {"amount_minor": str(_integer(row, column)), "currency": row["currency"]}


def _integer(row: Row, column: str) -> int:
    text = row.get(column, "")
    if text == "":
        return 0
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 19):
        raise BadRow(column, "is no whole number")
    return int(text)


_BODIES: Final[Mapping[Kind, Callable[[Row, datetime], dict[str, Any]]]] = {
    "members": _member,
    "contents": _content,
    "interactions": _interaction,
    "orders": _order,
}
