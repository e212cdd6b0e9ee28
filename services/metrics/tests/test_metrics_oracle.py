"""Every figure against the oracle, which computes it from the raw events by definition."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from metrics_facts import Fact, some_facts
from metrics_house import NOW, SHANGHAI, MetricsHouse, metrics_house
from metrics_oracle import Events, Oracle

from lyceum.metrics.v1 import activity_pb2, conversion_pb2, quality_pb2, retention_pb2, revenue_pb2

EVENTS = 300
PRIOR = 10.0
LORD_HOWE, CAIRO = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Africa/Cairo")
COMMUNITIES = {
    "Shanghai": (1, SHANGHAI, NOW),
    "Lord Howe": (2, LORD_HOWE, datetime(2024, 4, 12, 9, tzinfo=LORD_HOWE)),  # a day of 24.5 hours, five days ago
    "Cairo": (3, CAIRO, datetime(2023, 10, 29, 9, tzinfo=CAIRO)),  # a day of 25 hours, three days ago
}
"""Where the seeds of chance begin, the zone, and now."""
BACK = (timedelta(0), timedelta(days=17), timedelta(days=75))
SCOPES: tuple[dict[str, str], ...] = (
    {},
    {"creator": "creator1"},
    {"content": "c2"},
    {"creator": "creator0", "tag": "tea"},
)
PERIODS = ("day", "week", "month")


def told(scope: dict[str, str]) -> dict[str, Any]:
    """The request's fields of a scope."""
    names = {"creator": "creator_id", "content": "content_id", "tag": "tag"}
    return {names[name]: value for name, value in scope.items()}


def heard(seed: int, now: datetime) -> list[Fact]:
    """What happened, in the order in which it was recorded."""
    facts = some_facts(seed, EVENTS, now)
    return sorted(facts, key=lambda fact: fact.recorded_at or fact.at)


class Both:
    """The service that heard the facts in three pieces, the last of them twice, and what the facts say."""

    def __init__(self, house: MetricsHouse, facts: list[Fact], zone: ZoneInfo, now: datetime) -> None:
        self.house = house
        self.now = now
        self.moments = [now - back for back in BACK]
        self._events = Events(facts, zone)

    def oracle(self, as_of: datetime) -> Oracle:
        return Oracle(self._events, as_of)

    async def ask(self, request: Any, as_of: datetime) -> dict[str, Any]:
        request.as_of.FromDatetime(as_of)
        return await self.house.asked(request)


@pytest.fixture(params=COMMUNITIES)
async def both(postgres_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    seed, zone, now = COMMUNITIES[request.param]
    facts = heard(seed, now)
    async with metrics_house(postgres_url, tmp_path, zone) as house:
        house.now = now
        third = len(facts) // 3
        for until in (third, 2 * third, len(facts), len(facts)):
            await house.hear(facts[:until])
        yield Both(house, facts, zone, now)


async def test_active_members_and_their_life_cycle(both: Both) -> None:
    for as_of in both.moments:
        oracle = both.oracle(as_of)
        for scope in SCOPES:
            for period in PERIODS:
                request = activity_pb2.GetActivityTrendRequest(period=period, periods=14, **told(scope))
                found = (await both.ask(request, as_of))["periods"]
                assert [_numbers(one) for one in found] == oracle.trend(period, 14, **scope)


async def test_life_cycle_adds_up(both: Both) -> None:
    found = (await both.ask(activity_pb2.GetActivityTrendRequest(periods=60), both.now))["periods"]
    days = [_numbers(one) for one in found]
    assert any(day["resurrecting"] for day in days) and any(day["dormant"] for day in days)
    for before, day in pairwise(days):
        assert day["active"] == day["new_members"] + day["returning"] + day["resurrecting"]
        assert day["dormant"] == before["active"] - day["returning"]


async def test_breakdowns(both: Both) -> None:
    for as_of in both.moments:
        oracle = both.oracle(as_of)
        for by in ("creator", "content", "tag"):
            request = activity_pb2.GetActivityBreakdownRequest(by=by, window_days=40, limit=200)
            found = (await both.ask(request, as_of))["shares"]
            assert {
                one["key"]: (int(one["active"]), int(one["interactions"]), one["weighted"]) for one in found
            } == oracle.breakdown(by, 40)
            assert [int(one["interactions"]) for one in found] == sorted(
                (int(one["interactions"]) for one in found), reverse=True
            )


async def test_restated_days(both: Both) -> None:
    request = activity_pb2.ListRestatementsRequest(window_days=90, limit=500)
    found = (await both.ask(request, both.now))["restatements"]
    assert found, "some events are late"
    assert {
        (one["day"], one["seen_on"], one["reason"]): (int(one["interactions"]), int(one["purchases"])) for one in found
    } == both.oracle(both.now).restated(90)


@pytest.mark.parametrize("measure", ["bounded", "unbounded", "rolling", "bracket"])
async def test_cohorts(both: Both, measure: str) -> None:
    draw = random.Random(measure)
    cases = [
        (start, period, clock)
        for start in ("registered", "first_active", "first_paid")
        for period in PERIODS
        for clock in ("calendar", "member")
        if not (period == "month" and clock == "member")
    ]
    for start, period, clock in cases:
        as_of, scope = draw.choice(both.moments), draw.choice(SCOPES)
        brackets = [(0, 1), (2, 4), (5, 5), (7, 9)] if measure == "bracket" else [(n, n) for n in range(9)]
        request = retention_pb2.GetCohortsRequest(
            start=start, period=period, measure=measure, clock=clock, cohorts=10, **told(scope)
        )
        if measure == "bracket":
            request.bracket_first.extend(first for first, _ in brackets)
            request.bracket_last.extend(last for _, last in brackets)
        else:
            request.intervals = 9
        found = (await both.ask(request, as_of))["cohorts"]
        expected = both.oracle(as_of).cohorts(start, period, measure, clock, 10, brackets, **scope)
        assert [_cohort(one) for one in found] == expected, (start, period, clock, as_of, scope)


async def test_panels_of_survivors(both: Both) -> None:
    for start in ("registered", "first_active"):
        for scope in SCOPES[:2]:
            request = retention_pb2.GetRetentionForecastRequest(
                start=start, period="week", fit_periods=6, **told(scope)
            )
            found = await both.ask(request, both.now)
            survivors = both.oracle(both.now).panel(start, "week", 6, **scope)
            assert int(found["members"]) == survivors[0]
            assert found["observed"] == pytest.approx([one / survivors[0] for one in survivors] if survivors[0] else [])


async def test_revenue(both: Both) -> None:
    for as_of in both.moments:
        oracle = both.oracle(as_of)
        for scope in ({}, {"creator": "creator1"}, {"creator": "creator0", "content": "membership"}):
            for period in PERIODS:
                for currency in ("CNY", "USD"):
                    request = revenue_pb2.GetRevenueTrendRequest(
                        period=period,
                        periods=13,
                        currency=currency,
                        creator_id=scope.get("creator", ""),
                        product_id=scope.get("content", ""),
                    )
                    found = (await both.ask(request, as_of))["periods"]
                    expected = oracle.revenue(period, 13, currency, **scope)
                    assert [{name: int(one[name]) for name in expected[0]} for one in found] == expected


async def test_funnel(both: Both) -> None:
    for as_of in both.moments:
        for scope in SCOPES:
            request = conversion_pb2.GetFunnelRequest(window_days=60, within_days=20, **told(scope))
            found = await both.ask(request, as_of)
            steps = [(int(one["pairs"]), int(one["members"])) for one in found["steps"]]
            assert (steps, int(found["open"])) == both.oracle(as_of).funnel(60, 20, **scope)


async def test_attribution(both: Both) -> None:
    for as_of in both.moments:
        for scope in ({}, {"creator": "creator1"}):
            request = conversion_pb2.GetAttributionRequest(window_days=60, within_days=9, **told(scope))
            found = await both.ask(request, as_of)
            slots = {
                (one["slot"], one["method"]): tuple(int(one[n]) for n in ("shown", "opened", "paid", "charged_minor"))
                for one in found["slots"]
            }
            assert slots == both.oracle(as_of).attribution(60, 9, **scope)
            assert {
                one["promotion_id"]: (
                    one["name"],
                    *(int(one[n]) for n in ("paid", "payers", "charged_minor", "discount_minor")),
                )
                for one in found["promotions"]
            } == both.oracle(as_of).promotions(60, **scope)


async def test_content_quality(both: Both) -> None:
    for scope in SCOPES:
        request = quality_pb2.GetContentQualityRequest(limit=200, **told(scope))
        found = (await both.ask(request, both.now))["contents"]
        expected = both.oracle(both.now).quality(PRIOR, **scope)
        assert {one["content_id"] for one in found} == set(expected)
        for one in found:
            viewers, completed, ratings, mean, bayesian = expected[one["content_id"]]
            assert (int(one["viewers"]), int(one["completed"]), int(one["ratings"])) == (viewers, completed, ratings)
            assert (one["mean_rating"], one["bayesian_rating"]) == pytest.approx((mean, bayesian))
        assert [one["bayesian_rating"] for one in found] == sorted(
            (one["bayesian_rating"] for one in found), reverse=True
        )


def _numbers(one: dict[str, Any]) -> dict[str, Any]:
    """JSON writes 64-bit integers as text."""
    return {name: int(value) if _is_count(name, value) else value for name, value in one.items()}


def _is_count(name: str, value: Any) -> bool:
    return isinstance(value, str) and not name.endswith("_day")


def _cohort(one: dict[str, Any]) -> dict[str, Any]:
    counts = ("eligible", "retained", "learners", "payers")
    cells = [cell | {name: int(cell[name]) for name in counts} for cell in one["cells"]]
    return {"first_day": one["first_day"], "members": int(one["members"]), "cells": cells}
