"""The documented columns of the four kinds of input, and where each kind is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

Kind = Literal["members", "contents", "interactions", "orders"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""In the order in which they are sent within a slice: nothing refers to what comes later."""


@dataclass(frozen=True, slots=True)
class Columns:
    """`required` must be in the file and filled; `optional` may be absent or empty; of `either` a file has one at
    least, a row just one. `time` says when a row happened; line breaks may stand in `texts` only."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    time: str
    path: str
    either: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()

    @property
    def all(self) -> tuple[str, ...]:
        """Every column, in the documented order."""
        return self.required + self.either + self.optional

    def missing(self, names: Iterable[str]) -> list[str]:
        """What these columns do not have and must."""
        there = set(names)
        lacking = [name for name in self.required if name not in there]
        return lacking + ([" or ".join(self.either)] if self.either and there.isdisjoint(self.either) else [])


COLUMNS: Final[Mapping[Kind, Columns]] = {
    "members": Columns(
        ("external_id", "username", "registered_at"),
        ("role",),
        "registered_at",
        "/v1/members:batchImport",
    ),
    "contents": Columns(
        ("external_id", "creator_external_id", "title", "kind", "access", "published_at"),
        ("byline", "body", "tags", "category"),
        "published_at",
        "/v1/contents:batchImport",
        texts=frozenset({"title", "byline", "body"}),
    ),
    "interactions": Columns(
        ("member_external_id", "content_external_id", "kind", "occurred_at"),
        ("external_id", "rating", "comment", "channel", "watched_ms"),
        "occurred_at",
        "/v1/interactions:batchImport",
        texts=frozenset({"comment"}),
    ),
    "orders": Columns(
        ("member_external_id", "list_minor", "charged_minor", "currency", "ordered_at"),
        ("external_id", "promotion_id", "creator_id"),
        "ordered_at",
        "/v1/orders:batchImport",
        either=("product_id", "content_external_id"),
    ),
}
