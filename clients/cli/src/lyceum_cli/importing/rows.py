"""From named text to what the gateway takes; every complaint names its column and never repeats the value."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lyceum_cli.importing.columns import COLUMNS, Kind

TAG_SEPARATOR: Final = "|"
FIELD_SEPARATOR: Final = "\x1f"
Row = Mapping[str, str]


class BadRow(ValueError):
    """A row cannot be sent. `column` is the offending one, empty where it is the whole row."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


@dataclass(frozen=True, slots=True)
class Item:
    """A row ready to be sent. `source` is the number of its file, `line` where it stands there."""

    kind: Kind
    source: int
    line: int
    external_id: str
    at: datetime
    body: Mapping[str, Any]


@dataclass
class Occurrences:
    """Counts rows of the same content, which are distinct facts: two equal purchases are two purchases."""

    seen: Counter[bytes]

    def external_id(self, kind: Kind, row: Row) -> str:
        """`<sha256 of the documented columns>#<occurrence from 1>`: the same for ever for the same file."""
        text = FIELD_SEPARATOR.join(row.get(name, "") for name in sorted(COLUMNS[kind].all) if name != "external_id")
        digest = hashlib.sha256(text.encode())
        self.seen[digest.digest()] += 1
        return f"{digest.hexdigest()}#{self.seen[digest.digest()]}"


def item(kind: Kind, source: int, line: int, row: Row, occurrences: Occurrences) -> Item:
    """The item of a row. Raises `BadRow`."""
    external_id = row.get("external_id") or occurrences.external_id(kind, row)
    for name in COLUMNS[kind].required:
        if not row.get(name):
            raise BadRow(name, "is empty")
    at = moment(row, COLUMNS[kind].time)
    return Item(
        kind=kind,
        source=source,
        line=line,
        external_id=external_id,
        at=at,
        body={"external_id": external_id, **_BODIES[kind](row, at)},
    )


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
    return {"username": row["username"], "role": row.get("role", ""), "registered_at": instant(at)}


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
        "product_id": row["product_id"],
        "list": _money(row, "list_minor"),
        "charged": _money(row, "charged_minor"),
        "promotion_id": row.get("promotion_id", ""),
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
