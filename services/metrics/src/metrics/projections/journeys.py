"""How far each member has come with each content: when it was first viewed, quoted, paid and completed, and the
present rating.

What a product grants goes by the product's id, which is that of its content.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing, catalog
from eventfold import ReadTable, latest, least, on, projection


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


_ORDERED: Final = ("product_id", "member_id")

# Every column is the least or the latest of its events, so topics may interleave as they like.
JOURNEYS_MADE: Final = projection(
    "journeys",
    on(JOURNEYS, catalog.INTERACTION_VIEWED, least(viewed_at="occurred_at")),
    on(JOURNEYS, billing.ORDER_PLACED, least(quoted_at="placed_at"), key=_ORDERED),
    on(JOURNEYS, billing.ORDER_PAID, least(paid_at="paid_at"), key=_ORDERED),
    on(JOURNEYS, catalog.LEARNING_COMPLETED, least(completed_at="occurred_at")),
    on(
        JOURNEYS,
        catalog.INTERACTION_RATED,
        latest("rated_at", rated_at="occurred_at", rating="rating"),
    ),
)
