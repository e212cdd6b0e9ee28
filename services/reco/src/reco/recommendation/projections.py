"""The facts that recommendations rest on: who had which content, what there is, who wants what, who may read what."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from contracts.events import billing, catalog, reco
from eventfold import (
    Change,
    Data,
    FoldGroup,
    PublicType,
    ReadTable,
    Rule,
    always,
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


_BOUGHT: Final = ("member_id", "product_id")


def _seen(
    event: PublicType[Data],
    signal: Signal,
    *more: Change[Data],
    at: str = "occurred_at",
    key: tuple[str, ...] | None = None,
) -> Rule[Data]:
    """A signal creates a pair of member and content, or updates the existing pair."""
    marks = (most(weight=always(WEIGHTS[signal])), least(first_at=at), most(last_at=at))
    return on(PAIRS, event, *marks, *more, key=key)


# Rows of pairs hold only minima, maxima and newest values, so they do not depend on how topics and partitions
# interleave. `unliked` is not a signal: the member still has had the content.
FACTORS: Final = projection(
    "factors",
    _seen(catalog.INTERACTION_VIEWED, "view", most(watched_ms="watched_ms")),
    _seen(catalog.INTERACTION_LIKED, "like"),
    _seen(catalog.INTERACTION_COMMENTED, "comment"),
    _seen(catalog.INTERACTION_SHARED, "share"),
    _seen(
        catalog.INTERACTION_RATED,
        "rate",
        latest("rated_at", rated_at="occurred_at", rating="rating"),
    ),
    _seen(catalog.LEARNING_COMPLETED, "complete", least(completed_at="occurred_at")),
    _seen(billing.ORDER_PAID, "purchase", least(purchased_at="paid_at"), at="paid_at", key=_BOUGHT),
    puts(ITEMS, catalog.CONTENT_PUBLISHED),
)
"""Each kind of signal is one line. A new kind needs its line here and its weight in `domain/signals.py`."""

PREFERRING: Final = projection(
    "preferences",
    on(PREFERENCES, reco.PREFERENCE_PERSONALISATION_SWITCHED, sets(personalised="on")),
    on(PREFERENCES, reco.PREFERENCE_INTERESTS_CHOSEN, sets(interests="tags")),
    on(MARKS, reco.PREFERENCE_CONTENT_HIDDEN, sets(hidden="reason", hidden_at="occurred_at")),
    on(MARKS, reco.PREFERENCE_CONTENT_UNHIDDEN, sets(hidden=always(None), hidden_at=always(None))),
    on(MARKS, reco.PREFERENCE_CONTENT_EXCLUDED, sets(excluded=always(True))),
    on(MARKS, reco.PREFERENCE_CONTENT_INCLUDED, sets(excluded=always(False))),
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
