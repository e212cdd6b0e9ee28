"""The numbers behind releases: each member's contribution bounded in SQL as an independent computation bounds it, and
no member moving any number further than its declared bounds."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from metrics_facts import Fact, some_facts
from metrics_house import NOW, SHANGHAI, MetricsHouse, metrics_house
from psycopg.types.json import Jsonb

from eventfold.errors import NotFound, NotPermitted, WrongState
from metrics.domain.windows import day_of
from metrics.reading import postgres_look
from metrics.release import queries
from metrics.release.domain.benchmark import NUMBERS, RATIOS, Benchmark
from metrics.release.domain.drawing import Sums
from metrics.release.domain.mechanism import Bounds
from metrics.release.domain.questions import Question, position_of
from metrics.release.domain.retention import Retention
from metrics.release.domain.trend import Dimension, Trend
from metrics.release.queries import Tables
from servicekit.testing import refused

LAST_DAY = date(2026, 3, 9)
FIGURES = tuple(sorted(RATIOS))
INTERACTIONS = ("viewed", "liked", "commented", "shared", "rated", "completed")
TIGHT: Mapping[str, Bounds] = {
    "active_members": Bounds(),
    "audiences": Bounds(high=1),
    "interactions": Bounds(high=4),
    "payers": Bounds(),
    "ratings": Bounds(per_partition=2),
    "rating_distances": Bounds(per_partition=2, low=-2, high=2),
    "spend_minor": Bounds(high=1_000),
}
"""Bounds that some of twelve members exceed."""


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[MetricsHouse]:
    async with metrics_house(postgres_url, tmp_path) as one:
        yield one


@pytest.fixture(autouse=True)
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, bounds in TIGHT.items():
        monkeypatch.setitem(NUMBERS, name, bounds)
    monkeypatch.setattr(queries, "PARTITIONS_AT_MOST", 2)


def tables(house: MetricsHouse, zone: ZoneInfo = SHANGHAI) -> Tables:
    return Tables(postgres_look(house.wiring.queries, zone))


def categorised(facts: Iterable[Fact]) -> list[Fact]:
    """The same; contents have more tags and a category, the last none."""
    found = []
    for fact in facts:
        if fact.kind.name.endswith("content.published.v1"):
            number = int(fact.data["content_id"][1:])
            tags = [["tea", "go"], ["go"], ["poetry", "tea", "tea"], ["math", "go", "tea"], [], ["math"]][number]
            fact = replace(fact, data={**fact.data, "tags": tags, "category": [None, "art", "science"][number % 3]})
        found.append(fact)
    return found


def benchmark(category: str = "", currency: str = "CNY", days: int = 28) -> Benchmark:
    return Benchmark(FIGURES, days, LAST_DAY, SHANGHAI.key, category, currency)


def retention(creator_id: str = "", periods: int = 5) -> Retention:
    return Retention(date(2026, 1, 1), date(2026, 1, 31), 7, periods, SHANGHAI.key, creator_id)


def trend(dimension: Dimension) -> Trend:
    return Trend(dimension, 28, LAST_DAY, SHANGHAI.key)


QUESTIONS: Sequence[Question] = [
    benchmark(),
    benchmark(days=7, currency=""),
    benchmark("art"),
    benchmark("science", currency="USD"),
    retention(),
    retention(periods=2),
    retention("creator0"),
    retention("nobody"),
    trend("tag"),
    trend("category"),
]


@dataclass(frozen=True)
class Did:
    """Something that a member did on a day; `creator` and the rest are empty where the content was never published."""

    member: str
    day: date
    at: datetime
    kind: str
    content: str
    creator: str
    category: str | None
    tags: frozenset[str]
    rating: int
    amount_minor: int
    currency: str


class Oracle:
    """Computes the numbers from the facts themselves, member by member, without SQL."""

    def __init__(self, facts: Sequence[Fact], zone: ZoneInfo = SHANGHAI) -> None:
        self._zone = zone
        roles: dict[str, str] = {}
        self._registered: dict[str, datetime] = {}
        self._contents: dict[str, dict[str, Any]] = {}
        self._published_at: dict[str, datetime] = {}
        for fact in facts:
            subject = fact.kind.name.split(".", 2)[2]
            if subject == "member.registered.v1":
                roles[fact.data["member_id"]] = fact.data["role"]
                self._registered[fact.data["member_id"]] = fact.data["registered_at"]
            elif subject == "content.published.v1":
                self._contents[fact.data["content_id"]] = fact.data
                self._published_at[fact.data["content_id"]] = fact.data["published_at"]
        self._members = {member for member, role in roles.items() if role in ("consumer", "creator")}
        self._did = [one for fact in facts for one in self._done(fact) if one.member in self._members]

    def sums(self, question: Question) -> Sums:
        if isinstance(question, Benchmark):
            return self._benchmark(question)
        return self._retention(question) if isinstance(question, Retention) else self._trend(question)

    def _done(self, fact: Fact) -> Iterable[Did]:
        kind = fact.kind.name.split(".")[3]
        if kind not in (*INTERACTIONS, "paid") or fact.kind.name.split(".")[2] == "payment":
            return
        data, at = fact.data, fact.data.get("paid_at") or fact.data["occurred_at"]
        content_id = data.get("content_id") or data["product_id"]
        content = self._contents.get(content_id, {})
        charged = data.get("charged", {"amount_minor": 0, "currency": ""})
        yield Did(
            member=data["member_id"],
            day=day_of(at, self._zone),
            at=at,
            kind=kind,
            content=content_id,
            creator=content.get("creator_id", ""),
            category=content.get("category"),
            tags=frozenset(content.get("tags", ())),
            rating=data.get("rating", 0),
            amount_minor=charged["amount_minor"],
            currency=charged["currency"],
        )

    def _by_member(self, did: Iterable[Did]) -> Iterable[list[Did]]:
        found: dict[str, list[Did]] = defaultdict(list)
        for one in did:
            found[one.member].append(one)
        return found.values()

    def _benchmark(self, question: Benchmark) -> Sums:
        first = question.last_day - timedelta(days=question.window_days - 1)
        within = [one for one in self._did if first <= one.day <= question.last_day]
        if question.category:
            within = [one for one in within if one.category == question.category]
        numbers = dict.fromkeys(NUMBERS, 0)
        for done in self._by_member(within):
            numbers["active_members"] += 1
            numbers["interactions"] += min(4, sum(one.kind in INTERACTIONS for one in done))
            numbers["audiences"] += min(1, len({one.creator for one in done if one.creator}))
            spent = [
                one.amount_minor
                for one in done
                if one.kind == "paid" and one.amount_minor > 0 and question.currency in ("", one.currency)
            ]
            numbers["payers"] += bool(spent)
            numbers["spend_minor"] += min(1_000, sum(spent))
        for ratings in self._newest_ratings(question, first):
            numbers["ratings"] += len(ratings)
            numbers["rating_distances"] += sum(max(-2, min(2, rating - 3)) for rating in ratings)
        published = {
            content["creator_id"]
            for name, content in self._contents.items()
            if day_of(self._published_at[name], self._zone) <= question.last_day
            and question.category in ("", content["category"])
        }
        return Sums({name: [("", number)] for name, number in numbers.items()}, {"creators": len(published)})

    def _newest_ratings(self, question: Benchmark, first: date) -> Iterable[list[int]]:
        """Of each member the two newest; of each content the member's latest rating, wherever it lies."""
        latest: dict[tuple[str, str], Did] = {}
        for one in self._did:
            key = one.member, one.content
            if one.kind == "rated" and (key not in latest or one.at >= latest[key].at):
                latest[key] = one
        for done in self._by_member(latest.values()):
            counted = [
                one for one in done if first <= one.day <= question.last_day and question.category in ("", one.category)
            ]
            counted.sort(key=lambda one: one.content)
            counted.sort(key=lambda one: one.at, reverse=True)
            yield [one.rating for one in counted[:2]]

    def _retention(self, question: Retention) -> Sums:
        did = [one for one in self._did if question.creator_id in ("", one.creator)]
        began = {member: day_of(at, self._zone) for member, at in self._registered.items() if member in self._members}
        if question.creator_id:
            began = {done[0].member: min(one.day for one in done) for done in self._by_member(did)}
        places: Counter[str] = Counter()
        for member, day in began.items():
            if question.first_day <= day <= question.last_day:
                after = [(one.day - day).days // 7 for one in did if one.member == member and one.day >= day]
                periods = [one for one in after if one < question.periods]
                places[str(max(periods)) if periods else "never"] += 1
        return Sums({"last_active_period": [*places.items()]})

    def _trend(self, question: Trend) -> Sums:
        first = question.last_day - timedelta(days=question.window_days - 1)
        counts: Counter[str] = Counter()
        for done in self._by_member(one for one in self._did if first <= one.day <= question.last_day):
            often: Counter[str] = Counter()
            for one in done:
                often.update(one.tags if question.dimension == "tag" else [one.category] if one.category else [])
            chosen = sorted(often, key=partial(_place, done[0].member, often))
            counts.update(chosen[:2])
        return Sums({"active_members": sorted(counts.items())})


def _place(member: str, often: Mapping[str, int], partition: str) -> tuple[int, str]:
    """Of a partition among a member's: by how often, then by the hash of both."""
    return -often[partition], hashlib.md5(f"{member} {partition}".encode(), usedforsecurity=False).hexdigest()


def told(sums: Sums) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    return {name: {k: v for k, v in numbers if v} for name, numbers in sums.numbers.items()}, dict(sums.public)


@pytest.mark.parametrize("seed", range(3))
async def test_sql_bounds_each_member_as_an_independent_computation_does(house: MetricsHouse, seed: int) -> None:
    facts = categorised(some_facts(seed, 500, NOW))
    await house.hear(facts)
    reads, oracle = tables(house), Oracle(facts)
    exceeded = False
    for question in QUESTIONS:
        found = (await reads.look(question)).sums
        assert told(found) == told(oracle.sums(question)), question
        exceeded |= question == benchmark() and dict(found.numbers["interactions"])[""] < sum(
            one.kind in INTERACTIONS and LAST_DAY - timedelta(days=28) < one.day <= LAST_DAY for one in oracle._did
        )
    assert exceeded, "bounds that nobody exceeds test nothing"


async def test_no_member_moves_a_number_further_than_its_bounds(house: MetricsHouse) -> None:
    """The sensitivity that is declared, over real neighbours: the same tables with and without all rows of a member."""
    await house.hear(categorised(some_facts(7, 600, NOW)))
    reads = tables(house)
    whole = {question: told((await reads.look(question)).sums) for question in QUESTIONS}
    moved: Counter[str] = Counter()
    for number in range(12):
        saved = await erased(house, f"m{number}")
        for question in QUESTIONS:
            numbers, public = told((await reads.look(question)).sums)
            assert public == whole[question][1], "what is called public depends on no member"
            for name, values in whole[question][0].items():
                distance = sum(abs(values.get(key, 0) - numbers[name].get(key, 0)) for key in {*values, *numbers[name]})
                most = bounds_of(question, name).l1
                assert distance <= most, (question, name)
                moved[f"{question.kind} {name}"] += distance == most
        await restored(house, saved)
    assert {one for one, times in moved.items() if times} >= {
        "benchmark active_members",
        "benchmark interactions",
        "benchmark ratings",
        "benchmark spend_minor",
        "retention last_active_period",
        "trend active_members",
    }, "some member is at the bound"


def bounds_of(question: Question, name: str) -> Bounds:
    if isinstance(question, Benchmark):
        return TIGHT[name]
    return Bounds() if isinstance(question, Retention) else Bounds(partitions=2)


OF_MEMBERS = ("member", "member_day", "member_content_day", "member_content", "placed_order")


async def erased(house: MetricsHouse, member: str) -> dict[str, list[Any]]:
    """Take all rows of a member out, and return them."""
    async with house.pool.connection() as conn:
        found = {}
        for table in OF_MEMBERS:
            query = f"DELETE FROM {table} WHERE member_id = %s RETURNING to_jsonb({table})"  # noqa: S608 - declared names
            found[table] = [row[0] for row in await (await conn.execute(query.encode(), [member])).fetchall()]
        return found


async def restored(house: MetricsHouse, rows: Mapping[str, list[Any]]) -> None:
    async with house.pool.connection() as conn:
        for table, found in rows.items():
            query = f"INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, %s)).*"
            for row in found:
                await conn.execute(query.encode(), [Jsonb(row)])


async def test_a_day_of_registration_is_that_of_the_zone_where_clocks_change(postgres_url: str, tmp_path: Path) -> None:
    zone = ZoneInfo("America/St_Johns")
    facts = categorised(some_facts(5, 300, datetime(2007, 11, 20, tzinfo=UTC), days=40))
    async with metrics_house(postgres_url, tmp_path, zone) as house:
        await house.hear(facts)
        for month in (10, 11):
            last = date(2007, month, 31 if month == 10 else 30)
            question = Retention(date(2007, month, 1), last, 7, 3, zone.key)
            found = (await tables(house, zone).look(question)).sums
            assert told(found) == told(Oracle(facts, zone).sums(question))


async def test_the_position_moves_with_what_is_folded_and_with_nothing_else(house: MetricsHouse) -> None:
    facts = categorised(some_facts(1, 60, NOW))
    reads = tables(house)
    assert await reads.sources(benchmark()) == ()
    await house.hear(facts[:40])
    before = await reads.sources(benchmark())
    assert position_of(before) == position_of(tuple(reversed(before))) == position_of(await reads.sources(benchmark()))
    assert (await reads.look(benchmark())).sources == before
    await house.hear(facts)
    assert position_of(await reads.sources(benchmark())) != position_of(before)


async def test_a_category_is_known_by_published_content_and_seen_by_who_publishes_in_it(house: MetricsHouse) -> None:
    await house.hear(categorised(some_facts(2, 20, NOW)))
    reads = tables(house)
    await reads.require_category("art", "")
    await reads.require_category("art", "creator1")  # c1, c4
    assert (await refused(reads.require_category("cooking", ""), NotFound)).field == "category"
    assert (await refused(reads.require_category("art", "somebody"), NotPermitted)).field == "category"


async def test_more_partitions_than_can_be_noised_are_refused(
    house: MetricsHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.hear(categorised(some_facts(2, 300, NOW)))
    monkeypatch.setattr(queries, "MAX_PARTITIONS", 2)
    await refused(tables(house).look(trend("tag")), WrongState)
