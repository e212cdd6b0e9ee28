"""Turns the input into members, content, ratings, orders to import and orders to place live. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

from lyceum_demo.reading import Film, Purchase, Rating

CREATORS: Final = 5
BEGINNING: Final = datetime(1997, 1, 1, tzinfo=UTC)
"""The time at which the creators registered and published everything."""
CURRENCY: Final = "USD"
PRODUCT: Final = "cdnow-basket"
IMPORTED_PROMOTION, LIVE_PROMOTION = "cdnow-anniversary", "anniversary-live"
SALES = datetime(1997, 1, 1, tzinfo=UTC), datetime(1998, 7, 1, tzinfo=UTC)
"""The first moment of the purchases, and the first one after them."""
PROMOTED_EVERY: Final = 5
REDUCTION_MINOR: Final = 200
LIVE_ORDERS: Final = 500
RATINGS_SLICE: Final = 20_000
RECOMMENDED_MEMBERS, RECOMMENDED_MIN_RATINGS = 3, 5
LAST_INSTANT: Final = time(23, 59, 59, 999_999)


@dataclass(frozen=True)
class Community:
    """`members` maps numbers to registration times. Orders in `live` are placed one by one, `imported` in batches."""

    members: dict[int, datetime]
    films: Sequence[Film]
    ratings: Sequence[Rating]
    imported: Sequence[Purchase]
    live: Sequence[Purchase]
    as_of: datetime
    asked: Sequence[int]


def community(purchases: Sequence[Purchase], ratings: Sequence[Rating], films: Sequence[Film]) -> Community:
    """The community that the input describes."""
    buyers = live_members(purchases, LIVE_ORDERS)
    return Community(
        members=registrations(purchases, ratings),
        films=films,
        ratings=ratings,
        imported=[one for one in purchases if one.member not in buyers],
        live=[one for one in purchases if one.member in buyers],
        as_of=last_instant(purchases, ratings),
        asked=asked(ratings),
    )


def promoted(purchase: Purchase) -> bool:
    """Whether the limited-time promotion applied. It applies to every fifth line of the file."""
    return purchase.line % PROMOTED_EVERY == 0


def list_minor(purchase: Purchase) -> int:
    """The list price: the charged amount plus the discount, if any."""
    return purchase.charged_minor + (REDUCTION_MINOR if promoted(purchase) else 0)


def live_members(purchases: Sequence[Purchase], at_least: int) -> set[int]:
    """The members with most purchases (among equals the smaller number first), until they have `at_least` orders in
    total."""
    counts = Counter(one.member for one in purchases)
    chosen: set[int] = set()
    orders = 0
    for member, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        if orders >= at_least:
            break
        chosen.add(member)
        orders += count
    return chosen


def registrations(purchases: Sequence[Purchase], ratings: Sequence[Rating]) -> dict[int, datetime]:
    """Member k of one file is member k of the other; each registered at the first occurrence in either file."""
    first: dict[int, datetime] = {}
    deeds: list[Purchase | Rating] = [*purchases, *ratings]
    for one in deeds:
        first[one.member] = min(one.at, first.get(one.member, one.at))
    return first


def last_instant(purchases: Sequence[Purchase], ratings: Sequence[Rating]) -> datetime:
    """The end of the last day on which anything happened, UTC."""
    deeds: list[Purchase | Rating] = [*purchases, *ratings]
    last = max(one.at for one in deeds)
    return datetime.combine(last.date(), LAST_INSTANT, UTC)


def asked(ratings: Sequence[Rating]) -> list[int]:
    """The members that get recommendations: the smallest numbers with enough ratings."""
    counts = Counter(one.member for one in ratings)
    return sorted(member for member, count in counts.items() if count >= RECOMMENDED_MIN_RATINGS)[:RECOMMENDED_MEMBERS]
