"""How far each member has come with each content: when it was first viewed, quoted, paid and completed, and the
present rating.

What a product grants goes by the product's id, which is that of its content.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing, catalog
from eventfold import Key, ReadTable, latest, least, on, projection


class JourneyRow(NamedTuple):
    """One member and one content; all times are business time."""

    content_id: str
    member_id: str
    viewed_at: datetime | None = None
    quoted_at: datetime | None = None
    paid_at: datetime | None = None
    completed_at: datetime | None = None
    rating: int | None = None
    rated_at: datetime | None = None


JOURNEYS: Final = ReadTable("member_content", JourneyRow, key_columns=2)


def _ordered(data: billing.OrderPlaced | billing.OrderPaid) -> Key:
    return data["product_id"], data["member_id"]


# Every column is the least or the latest of its events, so topics may interleave as they like.
JOURNEYS_MADE: Final = projection(
    "journeys",
    on(JOURNEYS, catalog.INTERACTION_VIEWED, least(viewed_at=lambda data: data["occurred_at"])),
    on(JOURNEYS, billing.ORDER_PLACED, least(quoted_at=lambda data: data["placed_at"]), key=_ordered),
    on(JOURNEYS, billing.ORDER_PAID, least(paid_at=lambda data: data["paid_at"]), key=_ordered),
    on(JOURNEYS, catalog.LEARNING_COMPLETED, least(completed_at=lambda data: data["occurred_at"])),
    on(
        JOURNEYS,
        catalog.INTERACTION_RATED,
        latest("rated_at", rated_at=lambda data: data["occurred_at"], rating=lambda data: data["rating"]),
    ),
)
