"""The facts that recommendations rest on: who had which content, what there is, who wants what, who may read what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple, TypedDict

from contracts.events import billing, catalog, reco
from eventfold import (
    Change,
    Data,
    FoldGroup,
    Key,
    PublicType,
    ReadTable,
    Rule,
    latest,
    least,
    most,
    on,
    projection,
    puts,
    sets,
)
from reco.recommendation.domain.signals import WEIGHTS, Signal


class PairRow(NamedTuple):
    """One member and one content. `first_at`, `last_at`: business time of the first and last signal.

    `weight` is that of the strongest signal; `rating` is the newest by business time; `watched_ms` is the longest view.
    """

    member_id: str
    content_id: str
    weight: int
    rating: int | None
    rated_at: datetime | None
    first_at: datetime
    last_at: datetime
    watched_ms: int = 0
    completed_at: datetime | None = None
    purchased_at: datetime | None = None


class ItemRow(NamedTuple):
    """Published content, with the values of its newest publication."""

    content_id: str
    creator_id: str
    kind: str
    title: str
    tags: list[str]
    category: str | None
    published_at: datetime
    access: str
    duration_ms: int | None


class PreferenceRow(NamedTuple):
    """A member's choices. `interests` is None until the member chose any."""

    member_id: str
    personalised: bool = True
    interests: list[str] | None = None


class MarkRow(NamedTuple):
    """What a member says about one content. `hidden` is the reason, None if it is not hidden."""

    member_id: str
    content_id: str
    hidden: str | None = None
    hidden_at: datetime | None = None
    excluded: bool = False


class ProductRow(NamedTuple):
    """Something that is for sale."""

    product_id: str


class EntitlementRow(NamedTuple):
    """One entitlement. Kept singly, so that ending one does not end another."""

    entitlement_id: str
    member_id: str
    product_id: str
    expires_at: datetime | None


class ImpressionRow(NamedTuple):
    """One answer that a member was shown, best first; `items` as in the event."""

    answer_id: str
    member_id: str
    slot: str
    method: str
    model_version: str
    experiment: str | None
    arm: str | None
    personalised: bool
    items: list[dict[str, Any]]
    occurred_at: datetime


PAIRS: Final = ReadTable("interaction", PairRow, key_columns=2, followed=True)
ITEMS: Final = ReadTable("content_item", ItemRow, followed=True)
PREFERENCES: Final = ReadTable("preference", PreferenceRow, followed=True)
MARKS: Final = ReadTable("content_mark", MarkRow, key_columns=2, followed=True)
PRODUCTS: Final = ReadTable("product", ProductRow, followed=True)
ENTITLEMENTS: Final = ReadTable("entitlement", EntitlementRow, followed=True)
IMPRESSIONS: Final = ReadTable("impression", ImpressionRow, followed=True, swept_by="occurred_at")


class _Occurred(TypedDict):
    occurred_at: datetime


def _occurred(data: _Occurred) -> datetime:
    return data["occurred_at"]


def _paid_at(data: billing.OrderPaid) -> datetime:
    return data["paid_at"]


def _bought(data: billing.OrderPaid) -> Key:
    return data["member_id"], data["product_id"]


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


# Rows of pairs hold only minima, maxima and newest values, so they do not depend on how topics and partitions
# interleave. `unliked` is not a signal: the member still has had the content.
FACTORS: Final = projection(
    "factors",
    _seen(catalog.INTERACTION_VIEWED, "view", _occurred, most(watched_ms=lambda data: data["watched_ms"])),
    _seen(catalog.INTERACTION_LIKED, "like", _occurred),
    _seen(catalog.INTERACTION_COMMENTED, "comment", _occurred),
    _seen(catalog.INTERACTION_SHARED, "share", _occurred),
    _seen(
        catalog.INTERACTION_RATED,
        "rate",
        _occurred,
        latest("rated_at", rated_at=lambda data: data["occurred_at"], rating=lambda data: data["rating"]),
    ),
    _seen(catalog.LEARNING_COMPLETED, "complete", _occurred, least(completed_at=_occurred)),
    _seen(billing.ORDER_PAID, "purchase", _paid_at, least(purchased_at=_paid_at), key=_bought),
    puts(ITEMS, catalog.CONTENT_PUBLISHED),
)
"""Each kind of signal is one line. A new kind needs its line here and its weight in `domain/signals.py`."""

PREFERRING: Final = projection(
    "preferences",
    on(PREFERENCES, reco.PREFERENCE_PERSONALISATION_SWITCHED, sets(personalised=lambda data: data["on"])),
    on(PREFERENCES, reco.PREFERENCE_INTERESTS_CHOSEN, sets(interests=lambda data: data["tags"])),
    on(MARKS, reco.PREFERENCE_CONTENT_HIDDEN, sets(hidden=lambda data: data["reason"], hidden_at=_occurred)),
    on(MARKS, reco.PREFERENCE_CONTENT_UNHIDDEN, sets(hidden=lambda _: None, hidden_at=lambda _: None)),
    on(MARKS, reco.PREFERENCE_CONTENT_EXCLUDED, sets(excluded=lambda _: True)),
    on(MARKS, reco.PREFERENCE_CONTENT_INCLUDED, sets(excluded=lambda _: False)),
    partition_local=True,
)

ACCESS: Final = projection(
    "access", puts(PRODUCTS, billing.PRODUCT_PRICED), puts(ENTITLEMENTS, billing.ENTITLEMENT_GRANTED)
)

SHOWING: Final = projection("impressions", puts(IMPRESSIONS, reco.IMPRESSION_SHOWN), partition_local=True)

GROUPS: Final = (
    FoldGroup("preferences", (PREFERRING, ACCESS)),
    FoldGroup("factors", (FACTORS,), parks=True),
    FoldGroup("impressions", (SHOWING,), parks=True),
)
FOLLOWED: Final = (FACTORS, PREFERRING, ACCESS)
"""The projections of which a server keeps a copy in memory."""
