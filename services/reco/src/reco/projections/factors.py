"""Recommendation factors: which member has had which content, and what content there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows
from reco.domain.signals import SIGNAL_OF_TYPE, WEIGHTS

TOPICS: Final = (
    "lyceum.catalog.interaction", "lyceum.catalog.learning", "lyceum.billing.order", "lyceum.catalog.content",
)  # fmt: skip
PUBLISHED: Final = "lyceum.catalog.content.published.v1"


class PairRow(NamedTuple):
    """One member and one content. `first_at`, `last_at`: business time of the first and last signal.

    `weight` is the strongest signal seen; `rating` the newest by business time.
    """

    member_id: str
    content_id: str
    weight: int
    rating: int | None
    rated_at: datetime | None
    first_at: datetime
    last_at: datetime


class ItemRow(NamedTuple):
    """Published content, as its newest publication says."""

    content_id: str
    creator_id: str
    kind: str
    title: str
    tags: list[str]
    category: str | None
    published_at: datetime


PAIRS: Final = ReadTable("interaction", PairRow, key_columns=2, followed=True)
ITEMS: Final = ReadTable("content_item", ItemRow, followed=True)


def keys(events: Sequence[PublicRecord]) -> Mapping[str, list[Key]]:
    """Rows that the events touch; types that say nothing about factors touch none."""
    return {
        PAIRS.name: [_pair(event) for event in events if event.type in SIGNAL_OF_TYPE],
        ITEMS.name: [(event.data["content_id"],) for event in events if event.type == PUBLISHED],
    }


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """Minima, maxima and newest values only: the result does not depend on how topics and partitions interleave."""
    draft = Draft(rows)
    for event in events:
        if event.type == PUBLISHED:
            draft.put(ITEMS, _item(event))
        elif event.type in SIGNAL_OF_TYPE:
            draft.put(PAIRS, _signalled(draft.get(PAIRS, _pair(event)), event))
    return draft.changes()


def _pair(event: PublicRecord) -> tuple[str, str]:
    data = event.data
    return data["member_id"], data["product_id"] if "product_id" in data else data["content_id"]


def _item(event: PublicRecord) -> ItemRow:
    data = event.data
    return ItemRow(
        data["content_id"], data["creator_id"], data["kind"], data["title"], list(data["tags"]), data["category"],
        data["published_at"],
    )  # fmt: skip


def _signalled(row: PairRow | None, event: PublicRecord) -> PairRow:
    data = event.data
    at: datetime = data["paid_at"] if "paid_at" in data else data["occurred_at"]
    new = PairRow(
        *_pair(event), WEIGHTS[SIGNAL_OF_TYPE[event.type]], data.get("rating"), at if "rating" in data else None, at, at
    )
    return new if row is None else _merged(row, new)


def _merged(old: PairRow, new: PairRow) -> PairRow:
    rerated = new.rated_at is not None and (old.rated_at is None or new.rated_at >= old.rated_at)
    return new._replace(
        weight=max(old.weight, new.weight),
        rating=new.rating if rerated else old.rating,
        rated_at=new.rated_at if rerated else old.rated_at,
        first_at=min(old.first_at, new.first_at),
        last_at=max(old.last_at, new.last_at),
    )


FACTORS: Final = Projection("factors", TOPICS, (PAIRS, ITEMS), keys, fold)
