"""Public events of other services, as metrics hears of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from contracts.events import billing, catalog, identity, reco
from eventfold import PublicRecord, PublicType
from eventfold.measured.times import rfc3339
from eventfold.testing import record

FEE_BPS: Final = 1_500
KINDS: Final[dict[str, PublicType[Any]]] = {
    "view": catalog.INTERACTION_VIEWED,
    "like": catalog.INTERACTION_LIKED,
    "unlike": catalog.INTERACTION_UNLIKED,
    "comment": catalog.INTERACTION_COMMENTED,
    "share": catalog.INTERACTION_SHARED,
    "rate": catalog.INTERACTION_RATED,
    "complete": catalog.LEARNING_COMPLETED,
}
MORE: Final[dict[str, dict[str, Any]]] = {
    "view": {"watched_ms": 1_000},
    "comment": {"comment_id": "comment", "length_chars": 3},
    "share": {"channel": "link"},
    "rate": {"rating": 5, "previous": None},
}


@dataclass(frozen=True)
class Fact:
    """A public event before it has a place on a topic. Without `recorded_at`, it was recorded when it occurred."""

    kind: PublicType[Any]
    data: dict[str, Any]
    at: datetime
    key: str
    recorded_at: datetime | None = None
    backfill: bool = False

    def imported(self, recorded_at: datetime) -> Fact:
        """The same, brought later by an operator."""
        return replace(self, recorded_at=recorded_at, backfill=True)

    def late(self, recorded_at: datetime) -> Fact:
        """The same, recorded later."""
        return replace(self, recorded_at=recorded_at)

    def headers(self, seq: int) -> dict[str, bytes]:
        """Its headers as number `seq`."""
        told = {
            "ce_id": f"{self.kind.topic}-{seq}",
            "ce_type": self.kind.name,
            "ce_sequence": str(seq),
            "ce_time": rfc3339(self.at),
            "ce_recordedtime": rfc3339(self.recorded_at or self.at),
            **({"ce_backfill": "true"} if self.backfill else {}),
        }
        return {name: value.encode() for name, value in told.items()}

    def record(self, seq: int) -> PublicRecord[Any]:
        """As a fold gets it."""
        return record(
            self.kind,
            self.data,
            seq,
            key=self.key,
            occurred_at=self.at,
            backfill=self.backfill,
            recorded_at=self.recorded_at,
        )


def did(kind: str, member: str, at: datetime, content: str = "c1", **more: Any) -> Fact:
    """A member interacted with content."""
    data = {"member_id": member, "content_id": content, "occurred_at": at, **MORE.get(kind, {}), **more}
    return Fact(KINDS[kind], data, at, member)


def registered(member: str, at: datetime, role: str = "consumer") -> Fact:
    """An account came to be."""
    data = {"member_id": member, "role": role, "claimed": True, "registered_at": at}
    return Fact(identity.MEMBER_REGISTERED, data, at, member)


def granted(member: str, role: str, at: datetime) -> Fact:
    """An account got another role."""
    data = {"member_id": member, "role": role, "previous": "consumer", "granted_at": at}
    return Fact(identity.MEMBER_ROLE_GRANTED, data, at, member)


def published(
    content: str, at: datetime, creator: str = "creator", tags: Sequence[str] = (), access: str = "paid"
) -> Fact:
    """Content became readable."""
    data = {
        "content_id": content,
        "creator_id": creator,
        "kind": "text",
        "title": f"Title of {content}",
        "excerpt": "",
        "tags": list(tags),
        "category": None,
        "access": access,
        "body_sha256": None,
        "media_uri": None,
        "duration_ms": None,
        "lesson_count": 0,
        "published_at": at,
    }
    return Fact(catalog.CONTENT_PUBLISHED, data, at, content)


def placed(
    order: str,
    member: str,
    list_minor: int,
    at: datetime,
    *,
    discount_minor: int = 0,
    currency: str = "CNY",
    product: str = "c1",
    creator: str = "creator",
    promotion: str | None = None,
) -> Fact:
    """An order at a quoted price."""
    data = {
        "order_id": order,
        "member_id": member,
        "creator_id": creator,
        "product_id": product,
        "list": {"amount_minor": list_minor, "currency": currency},
        "discount": {"amount_minor": discount_minor, "currency": currency},
        "charged": {"amount_minor": list_minor - discount_minor, "currency": currency},
        "promotion_id": promotion,
        "placed_at": at,
    }
    return Fact(billing.ORDER_PLACED, data, at, order)


def paid(order: Fact, at: datetime, fee_bps: int = FEE_BPS) -> Fact:
    """A placed order is paid."""
    data = {name: value for name, value in order.data.items() if name != "placed_at"}
    data |= {"platform_fee_bps": fee_bps, "provider": "simulator", "payment_id": None, "paid_at": at}
    return Fact(billing.ORDER_PAID, data, at, order.key)


def ordered(order: str, member: str, list_minor: int, at: datetime, **more: Any) -> list[Fact]:
    """An order, paid at once."""
    one = placed(order, member, list_minor, at, **more)
    return [one, paid(one, at)]


def promoted(promotion: str, name: str, at: datetime, creator: str = "creator") -> Fact:
    """A promotion was announced."""
    data: dict[str, Any] = {
        "promotion_id": promotion,
        "creator_id": creator,
        "name": name,
        "product_ids": [],
        "amount_off": None,
        "percent_off_bps": 1_000,
        "starts_at": at,
        "ends_at": at + timedelta(days=7),
    }
    return Fact(billing.PROMOTION_SCHEDULED, data, at, promotion)


def shown(answer: str, member: str, contents: Sequence[str], at: datetime, slot: str = "home") -> Fact:
    """A member was shown recommendations."""
    items = [{"content_id": one, "source": "hybrid", "score": 1.0, "propensity": 1.0} for one in contents]
    data = {
        "member_id": member,
        "answer_id": answer,
        "slot": slot,
        "method": "hybrid",
        "model_version": "1",
        "experiment": None,
        "arm": None,
        "personalised": True,
        "items": items,
        "occurred_at": at,
    }
    return Fact(reco.IMPRESSION_SHOWN, data, at, member)


def on_topics(facts: Iterable[Fact], partitions: int = 2) -> dict[tuple[str, int], list[tuple[int, Fact]]]:
    """Facts by topic and partition with their numbers, as services would have sent them."""
    places: dict[tuple[str, int], list[tuple[int, Fact]]] = {}
    for seq, fact in enumerate(facts, start=1):
        places.setdefault((fact.kind.topic, sum(fact.key.encode()) % partitions), []).append((seq, fact))
    return places


def some_facts(seed: int, count: int, now: datetime, days: float = 120.0) -> list[Fact]:
    """A community: members come, look, buy, learn and stay away; some of it comes late, or was imported."""
    draw = random.Random(seed)
    facts = [promoted("p1", "Spring", now - timedelta(days=days))]
    contents = [f"c{n}" for n in range(6)]
    for n, content in enumerate(contents):
        tags = draw.sample(["tea", "go", "poetry"], draw.randrange(3))
        facts.append(published(content, _back(draw, now, days), f"creator{n % 2}", tags, draw.choice(["paid", "free"])))
    members = [f"m{n}" for n in range(12)]
    for member in members:
        facts.append(registered(member, _back(draw, now, days), draw.choice(["consumer"] * 5 + ["creator", "admin"])))
    for number in range(count):
        facts += _moved(_some(draw, number, draw.choice(members), draw.choice(contents), _back(draw, now, days)), draw)
    return facts


def _back(draw: random.Random, now: datetime, days: float) -> datetime:
    back = draw.choice([draw.uniform(-2, 5), draw.uniform(0, 30), draw.uniform(0, days)])
    return (now - timedelta(days=back)).astimezone(UTC).replace(microsecond=0)


def _some(draw: random.Random, number: int, member: str, content: str, at: datetime) -> list[Fact]:
    creator = f"creator{int(content[1:]) % 2}"
    if draw.random() < 0.2:
        one = placed(
            f"o{number}",
            member,
            draw.choice([0, 500, 999, 12_900]),
            at,
            currency=draw.choice(["CNY", "CNY", "USD"]),
            product=draw.choice([content, content, "membership"]),
            creator=creator,
            promotion=draw.choice([None, "p1", "p2"]),
        )
        return [one, paid(one, at + timedelta(hours=draw.randrange(40)))][: draw.choice([1, 2, 2, 2])]
    if draw.random() < 0.15:
        return [
            shown(f"a{number}", member, draw.sample([f"c{n}" for n in range(6)], 3), at, draw.choice(["home", "end"]))
        ]
    kind = draw.choice([*KINDS, "view", "view", "view"])
    more = {"rating": draw.randrange(1, 6)} if kind == "rate" else {}
    return [did(kind, member, at, content, **more)]


def _moved(facts: list[Fact], draw: random.Random) -> list[Fact]:
    """Some are recorded later than they occurred."""
    at = facts[-1].at + timedelta(days=draw.uniform(0, 4))
    chance = draw.random()
    if chance < 0.1:
        return [one.imported(at) for one in facts]
    return [one.late(at) for one in facts] if chance < 0.2 else facts
