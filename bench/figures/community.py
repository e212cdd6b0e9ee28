"""A year of a community, made up: members come, stay for a while and look, buy and learn; content is Zipf-popular."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, Final, NamedTuple

from contracts.events import billing, catalog, identity
from eventfold import PublicType
from eventfold.measured.times import rfc3339

NOW: Final = datetime(2026, 6, 30, 12, tzinfo=UTC)
DAYS: Final = 365
MEMBERS, CREATORS, CONTENTS = 20_000, 200, 2_000
EVENTS_OF_A_MEMBER: Final = MEMBERS / 1_000_000
ZIPF: Final = 1.0
STAY_DAYS: Final = 45.0
TAGS: Final = ("tea", "go", "poetry", "music", "code")
KINDS: Final[dict[str, tuple[PublicType[Any], float, dict[str, Any]]]] = {
    "view": (catalog.INTERACTION_VIEWED, 85.0, {"watched_ms": 60_000}),
    "like": (catalog.INTERACTION_LIKED, 5.0, {}),
    "complete": (catalog.LEARNING_COMPLETED, 3.0, {}),
    "comment": (catalog.INTERACTION_COMMENTED, 2.0, {"comment_id": "c", "length_chars": 9}),
    "rate": (catalog.INTERACTION_RATED, 2.0, {"rating": 4, "previous": None}),
    "share": (catalog.INTERACTION_SHARED, 1.0, {"channel": "link"}),
    "order": (billing.ORDER_PAID, 2.0, {}),
}


class Event(NamedTuple):
    """One public event."""

    kind: PublicType[Any]
    data: dict[str, Any]
    at: datetime
    key: str


class Community:
    """`events` events of members, besides registrations and publications."""

    def __init__(self, events: int, seed: int = 1) -> None:
        self.events = events
        self.members = max(int(events * EVENTS_OF_A_MEMBER), 100)
        self._seed = seed
        draw = random.Random(seed)
        self.joined_days = [draw.uniform(0, DAYS) for _ in range(self.members)]
        """Days before `NOW`, by member."""

    def known(self) -> Iterator[Event]:
        """Registrations and publications."""
        draw = random.Random(self._seed)
        for n, days in enumerate(self.joined_days):
            at = NOW - timedelta(days=days)
            data = {"member_id": member(n), "role": "consumer", "claimed": True, "registered_at": at}
            yield Event(identity.MEMBER_REGISTERED, data, at, member(n))
        for n in range(CONTENTS):
            at = NOW - timedelta(days=DAYS)
            yield Event(catalog.CONTENT_PUBLISHED, _content(n, at, draw.sample(TAGS, 2)), at, content(n))

    def acts(self) -> Iterator[Event]:
        """What members do, day by day."""
        draw = random.Random(self._seed + 1)
        popularity = list(accumulate(1 / (rank**ZIPF) for rank in range(1, CONTENTS + 1)))
        names, weights = [*KINDS], [weight for _, weight, _ in KINDS.values()]
        who = draw.choices(range(self.members), k=self.events)
        what = draw.choices(range(CONTENTS), cum_weights=popularity, k=self.events)
        how = draw.choices(names, weights, k=self.events)
        days = [max(self.joined_days[n] - draw.expovariate(1 / STAY_DAYS), 0.0) for n in who]
        for at in sorted(range(self.events), key=lambda one: -days[one]):
            yield _act(at, how[at], who[at], what[at], NOW - timedelta(days=days[at]))


def member(number: int) -> str:
    """A member's id."""
    return f"member-{number:08d}"


def content(number: int) -> str:
    """A content's id."""
    return f"content-{number:06d}"


def creator(number: int) -> str:
    """The creator of a content, by its number."""
    return f"creator-{number % CREATORS:04d}"


def _content(number: int, at: datetime, tags: list[str]) -> dict[str, Any]:
    return {
        "content_id": content(number),
        "creator_id": creator(number),
        "kind": "text",
        "title": f"Content {number}",
        "excerpt": "",
        "tags": tags,
        "category": None,
        "access": "paid",
        "body_sha256": None,
        "media_uri": None,
        "duration_ms": None,
        "lesson_count": 0,
        "published_at": at,
    }


def _act(number: int, how: str, who: int, what: int, at: datetime) -> Event:
    kind, _, more = KINDS[how]
    if how == "order":
        return Event(kind, _order(number, who, what, at), at, f"order-{number}")
    data = {"member_id": member(who), "content_id": content(what), "occurred_at": at, **more}
    return Event(kind, data, at, member(who))


def _order(number: int, who: int, what: int, at: datetime) -> dict[str, Any]:
    price, nothing = {"amount_minor": 9_900, "currency": "CNY"}, {"amount_minor": 0, "currency": "CNY"}
    return {
        "order_id": f"order-{number}",
        "member_id": member(who),
        "creator_id": creator(what),
        "product_id": content(what),
        "list": price,
        "discount": nothing,
        "charged": price,
        "promotion_id": None,
        "platform_fee_bps": 1_500,
        "provider": "simulator",
        "payment_id": None,
        "paid_at": at,
    }


def headers(event: Event, seq: int) -> list[tuple[str, bytes]]:
    """An event's headers as number `seq`."""
    at = rfc3339(event.at)
    told = {
        "ce_id": f"{event.kind.topic}-{seq}",
        "ce_type": event.kind.name,
        "ce_sequence": str(seq),
        "ce_time": at,
        "ce_recordedtime": at,
    }
    return [(name, value.encode()) for name, value in told.items()]
