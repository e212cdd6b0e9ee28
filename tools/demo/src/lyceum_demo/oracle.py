"""The same figures from the input files alone: `python oracle.py --purchases F --ratings F --items F --dataset NAME`.

Stands by itself: it imports nothing of Lyceum, knows no service and no database, and follows the definitions in the
services' README files. Prints one JSON object, shaped like the answers that it is compared with.
"""

from __future__ import annotations

import argparse
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMESPACE = uuid.UUID("9f4a1c52-3f0e-5b6d-8a57-6f6d2b1d7e01")
CREATORS = 5
PROMOTED_EVERY, REDUCTION_MINOR = 5, 200
FEE_BPS, BPS_WHOLE = 1_000, 10_000
RETENTION_DAYS, ACTIVITY_DAYS = (7, 30), 365
WEIGHTS = {"view": 1.0, "like": 2.0, "comment": 3.0, "share": 3.0, "rate": 2.0, "complete": 4.0}
HISTORY_ITEMS, SCORE_DECIMALS, TOP = 1_000, 9, 5
ASKED_MEMBERS, ASKED_MIN_RATINGS = 3, 5
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Purchase:
    """Line number, member, day and cents."""

    line: int
    member: int
    day: date
    charged: int

    @property
    def discount(self) -> int:
        """Cents off the list price."""
        return REDUCTION_MINOR if self.line % PROMOTED_EVERY == 0 else 0


@dataclass(frozen=True)
class Rating:
    """Member, item and moment."""

    member: int
    item: int
    at: datetime

    @property
    def day(self) -> date:
        """The calendar day, UTC."""
        return self.at.date()


@dataclass(frozen=True)
class World:
    """All of the input. Members in `live` bought today instead of at the time in the file."""

    purchases: Sequence[Purchase]
    ratings: Sequence[Rating]
    titles: dict[int, str]
    live: frozenset[int]
    dataset: str

    @cached_property
    def deeds(self) -> list[Purchase | Rating]:
        """All purchases and ratings."""
        return [*self.purchases, *self.ratings]

    @cached_property
    def historic(self) -> list[Purchase]:
        """Purchases that keep the day in the file."""
        return [one for one in self.purchases if one.member not in self.live]

    @cached_property
    def last_day(self) -> date:
        """The last day on which anything happened."""
        return max(one.day for one in self.deeds)

    @cached_property
    def registered(self) -> int:
        """Number of members: all in the files, and the creators. All have registered by the last day."""
        return len({one.member for one in self.deeds}) + CREATORS


def read_purchases(path: Path) -> list[Purchase]:
    """Reads both layouts: lines of the sample have the number within the sample as second field, the master file has a
    header."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split()
        if words[0] != "customer_id":
            *ids, day, _, dollars = words
            found.append(Purchase(number, int(ids[-1]), datetime.strptime(day, "%Y%m%d").date(), cents(dollars)))  # noqa: DTZ007
    return found


def cents(dollars: str) -> int:
    """An amount of dollars as cents, exactly."""
    amount = Fraction(Decimal(dollars)) * 100
    if amount.denominator != 1:
        raise ValueError("an amount has fractions of a cent")
    return amount.numerator


def read_ratings(path: Path, first: int) -> list[Rating]:
    """The `first` lines in the order of time, then of their place in the file; 0 means all."""
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    stamped = sorted((int(row[3]), place) for place, row in enumerate(rows))
    chosen = [(rows[place], second) for second, place in (stamped[:first] if first else stamped)]
    return [Rating(int(row[0]), int(row[1]), datetime.fromtimestamp(second, UTC)) for row, second in chosen]


def read_titles(path: Path) -> dict[int, str]:
    """Titles by number."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return {int(row[0]): row[1] for row in rows}


def most_frequent(purchases: Iterable[Purchase], at_least: int) -> frozenset[int]:
    """The members with most purchases (among equals the smaller number first), until they have `at_least` in total."""
    counts = Counter(one.member for one in purchases)
    chosen: list[int] = []
    for member in sorted(counts, key=lambda one: (-counts[one], one)):
        if sum(counts[one] for one in chosen) >= at_least:
            break
        chosen.append(member)
    return frozenset(chosen)


def overview(world: World) -> dict[str, int]:
    """Counts at the end of the last day."""
    kinds = {**dict.fromkeys(WEIGHTS, 0), "rate": len(world.ratings)}
    orders = len(world.historic)
    return {
        "members": world.registered,
        "contents": len(world.titles),
        "orders_placed": orders,
        "orders_paid": orders,
        **kinds,
    }


def ledger(world: World) -> dict[str, dict[str, int]]:
    """Debits, credits and postings by account over all orders, including live ones."""
    sums: dict[str, dict[str, int]] = {}
    for one in world.purchases:
        for account, amount in postings(one, live=one.member in world.live):
            account_sums = sums.setdefault(f"{account} USD", {"debit_minor": 0, "credit_minor": 0, "postings": 0})
            account_sums["debit_minor" if amount > 0 else "credit_minor"] += abs(amount)
            account_sums["postings"] += 1
    balance = sum(found["debit_minor"] - found["credit_minor"] for found in sums.values())
    return {**sums, "total USD": {"sum_minor": balance}}


def postings(one: Purchase, *, live: bool) -> list[tuple[str, int]]:
    """The lines of an order that are not zero; debits are positive."""
    fee = one.charged * FEE_BPS // BPS_WHOLE
    lines = [
        (f"provider_clearing:{'simulator' if live else 'imported'}", one.charged),
        ("creator_payable", -(one.charged - fee)),
        ("platform_revenue", -fee),
        ("promotion_discounts", one.discount),
        ("list_price_contra", -one.discount),
    ]
    return [line for line in lines if line[1]]


def retention(world: World) -> dict[str, float]:
    """p^t from day-to-day survival."""
    dated: list[Purchase | Rating] = [*world.ratings, *world.historic]
    active = {(one.member, one.day) for one in dated}
    exposed = sum(day + DAY <= world.last_day for _, day in active)
    survived = sum((member, day + DAY) in active for member, day in active)
    p = survived / exposed if exposed else 0.0
    return {"exposed": exposed, "survived": survived, "p": p, **{f"L({t})": p**t for t in RETENTION_DAYS}}


def activity(world: World) -> dict[str, float]:
    """Interactions of the window per member."""
    first_day = world.last_day - (ACTIVITY_DAYS - 1) * DAY
    counted = sum(first_day <= one.day <= world.last_day for one in world.ratings)
    members = world.registered
    return {
        "interactions": counted,
        "members": members,
        "activity": counted / members,
        "activity_per_day": counted / members / ACTIVITY_DAYS,
        "weighted_activity": counted * WEIGHTS["rate"] / members,
    }


def revenue(world: World) -> dict[str, Any]:
    """R = N*C*P over all time up to the last day."""
    paid = [one for one in world.historic if one.charged > 0]
    total, payers, members = sum(one.charged for one in paid), len({one.member for one in paid}), world.registered
    spend = Fraction(total, payers) if payers else Fraction(0)
    conversion = Fraction(payers, members)
    if members * spend * conversion != total:
        raise ArithmeticError("N*C*P is not the revenue")
    return {
        "members": members,
        "payers": payers,
        "revenue_minor": total,
        "mean_spend_minor": float(spend),
        "conversion": float(conversion),
        "mean_spend_fraction": str(spend),
    }


class Recommender:
    """Item-item similarity over pairs of member and rated item."""

    def __init__(self, world: World) -> None:
        self._titles = world.titles
        self._numbers = sorted(world.titles)
        self._ids = [content_id(world.dataset, number) for number in self._numbers]
        column = {number: place for place, number in enumerate(self._numbers)}
        members = sorted({one.member for one in world.ratings})
        row = {member: place for place, member in enumerate(members)}
        had = np.zeros((len(members), len(column)))
        self._history: dict[int, dict[int, datetime]] = defaultdict(dict)
        for one in world.ratings:
            had[row[one.member], column[one.item]] = 1.0
            history = self._history[one.member]
            history[column[one.item]] = min(one.at, history.get(column[one.item], one.at))
        together = had.T @ had
        self._n = np.diag(together)
        self._similarity = together / np.sqrt(np.maximum(np.outer(self._n, self._n), 1.0))

    def top(self, member: int) -> list[dict[str, Any]]:
        """The best items that the member has not had."""
        history = self._history[member]
        newest = sorted(history, key=lambda place: (-history[place].timestamp(), self._ids[place]))[:HISTORY_ITEMS]
        scores = np.round(self._similarity[newest].sum(axis=0), SCORE_DECIMALS)
        left = [place for place in range(len(self._ids)) if place not in history]
        left.sort(key=lambda place: (-scores[place], -self._n[place], self._ids[place]))
        return [self._answer(place, scores) for place in left[:TOP]]

    def _answer(self, place: int, scores: NDArray[np.float64]) -> dict[str, Any]:
        score = float(scores[place])
        return {
            "content_id": self._ids[place],
            "title": self._titles[self._numbers[place]],
            "score": score,
            "reason": "similar" if score > 0 else "popular",
        }


def content_id(dataset: str, number: int) -> str:
    """The id that an import gives to an item."""
    return str(uuid.uuid5(NAMESPACE, json.dumps(["content", dataset, str(number)], ensure_ascii=False)))


def recommendations(world: World) -> dict[str, list[dict[str, Any]]]:
    """Recommendations for the members with the smallest numbers that have enough ratings."""
    counts = Counter(one.member for one in world.ratings)
    asked = sorted(member for member, count in counts.items() if count >= ASKED_MIN_RATINGS)[:ASKED_MEMBERS]
    recommender = Recommender(world)
    return {str(member): recommender.top(member) for member in asked}


def figures(world: World) -> dict[str, Any]:
    """All figures that the demonstration shows."""
    return {
        "overview": overview(world),
        "ledger": ledger(world),
        "recommendations": recommendations(world),
        "retention": retention(world),
        "activity": activity(world),
        "revenue": revenue(world),
    }


def main() -> None:
    """Read the files that the arguments name, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("purchases", "ratings", "items"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--first-ratings", type=int, default=0, help="0: all")
    parser.add_argument("--live-orders", type=int, default=0, help="so many orders at least were placed live")
    arguments = parser.parse_args()
    purchases = read_purchases(arguments.purchases)
    world = World(
        purchases=purchases,
        ratings=read_ratings(arguments.ratings, arguments.first_ratings),
        titles=read_titles(arguments.items),
        live=most_frequent(purchases, arguments.live_orders),
        dataset=arguments.dataset,
    )
    print(json.dumps(figures(world)))


if __name__ == "__main__":
    main()
