"""Recommendation factors: which member has had which content, and which content is published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple, TypedDict

from contracts.events import billing, catalog
from eventfold import Change, Data, Key, PublicType, ReadTable, Rule, latest, least, most, on, projection, puts
from reco.domain.signals import WEIGHTS, Signal


class PairRow(NamedTuple):
    """One member and one content. `first_at`, `last_at`: business time of the first and last signal.

    `weight` is that of the strongest signal; `rating` is the newest by business time.
    """

    member_id: str
    content_id: str
    weight: int
    rating: int | None
    rated_at: datetime | None
    first_at: datetime
    last_at: datetime


class ItemRow(NamedTuple):
    """Published content, with the values of its newest publication."""

    content_id: str
    creator_id: str
    kind: str
    title: str
    tags: list[str]
    category: str | None
    published_at: datetime


PAIRS: Final = ReadTable("interaction", PairRow, key_columns=2, followed=True)
ITEMS: Final = ReadTable("content_item", ItemRow, followed=True)


def _seen(
    event: PublicType[Data],
    signal: Signal,
    at: Callable[[Data], datetime],
    *more: Change[Data],
    key: Callable[[Data], Key] | None = None,
) -> Rule[Data]:
    """A signal creates a pair of member and content, or updates the existing pair."""
    marks = (most(weight=lambda _: WEIGHTS[signal]), least(first_at=at), most(last_at=at))
    return on(PAIRS, event, *marks, *more, key=key)


class _Occurred(TypedDict):
    occurred_at: datetime


def _occurred(data: _Occurred) -> datetime:
    return data["occurred_at"]


def _paid_at(data: billing.OrderPaid) -> datetime:
    return data["paid_at"]


def _bought(data: billing.OrderPaid) -> Key:
    return data["member_id"], data["product_id"]


# Rows hold only minima, maxima and newest values, so they do not depend on how topics and partitions interleave.
# `unliked` is not a signal: the member still has had the content.
FACTORS: Final = projection(
    "factors",
    _seen(catalog.INTERACTION_VIEWED, "view", _occurred),
    _seen(catalog.INTERACTION_LIKED, "like", _occurred),
    _seen(catalog.INTERACTION_COMMENTED, "comment", _occurred),
    _seen(catalog.INTERACTION_SHARED, "share", _occurred),
    _seen(
        catalog.INTERACTION_RATED,
        "rate",
        _occurred,
        latest("rated_at", rated_at=lambda data: data["occurred_at"], rating=lambda data: data["rating"]),
    ),
    _seen(catalog.LEARNING_COMPLETED, "complete", _occurred),
    _seen(billing.ORDER_PAID, "purchase", _paid_at, key=_bought),
    puts(ITEMS, catalog.CONTENT_PUBLISHED),
)
