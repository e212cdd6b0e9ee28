"""What went wrong in other systems of this kind, tried on this one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from metrics_facts import did, paid, placed, published, registered
from metrics_house import NOW, SHANGHAI, MetricsHouse, metrics_house

from lyceum.metrics.v1 import activity_pb2, conversion_pb2, retention_pb2

MONDAY = datetime(2026, 2, 23, 0, 5, tzinfo=SHANGHAI)
"""16:05 of Sunday in UTC."""


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[MetricsHouse]:
    async with metrics_house(postgres_url, tmp_path) as one:
        yield one


async def test_a_day_east_of_utc_is_the_same_day_in_trend_and_cohorts(house: MetricsHouse) -> None:
    """PostHog #17415: with UTC+8, retention stood a day later than the trend."""
    await house.hear([registered("m1", MONDAY), did("view", "m1", MONDAY)])
    trend = await house.asked(activity_pb2.GetActivityTrendRequest(periods=30))
    [active] = [day["first_day"] for day in trend["periods"] if day["active"] == "1"]
    cohorts = await house.asked(retention_pb2.GetCohortsRequest(period="day", cohorts=30))
    [cohort] = [one for one in cohorts["cohorts"] if one["members"] == "1"]
    assert active == cohort["first_day"] == "2026-02-23"
    assert (cohort["cells"][0]["first_interval"], cohort["cells"][0]["retained"]) == (0, "1")
    weeks = await house.asked(retention_pb2.GetCohortsRequest(period="week"))
    assert [one["first_day"] for one in weeks["cohorts"] if one["members"] == "1"] == ["2026-02-23"], "a Monday"


async def test_a_milestone_is_ripe_when_the_last_of_the_cohort_has_lived_it_through(house: MetricsHouse) -> None:
    """kasianov-mikhail/scout #986: who began on the cohort's last day was counted before the day was over."""
    sunday = MONDAY + timedelta(days=6)
    await house.hear([registered("early", MONDAY), registered("late", sunday)])
    asked = retention_pb2.GetCohortsRequest(period="week", clock="member")
    for days, eligible in ((7, "1"), (12, "1"), (13, "2")):
        asked.as_of.FromDatetime(MONDAY + timedelta(days=days))
        found = await house.asked(asked)
        [cells] = [one["cells"] for one in found["cohorts"] if one["members"] == "2"]
        assert cells[0]["eligible"] == eligible, days


async def test_steps_of_one_instant_are_steps(house: MetricsHouse) -> None:
    """Openpanel #442: what a sender, or an import by the second, dates alike fell out of the funnel. ClickHouse #51079:
    a later step had more than the one before it."""
    at = NOW - timedelta(days=2)
    order = placed("o1", "m1", 900, at)
    skipping = placed("o2", "m2", 900, at + timedelta(hours=1))
    await house.hear(
        [
            *(registered(member, at) for member in ("m1", "m2", "m3")),
            published("c1", at),
            did("view", "m1", at),
            order,
            paid(order, at),
            did("complete", "m1", at),
            skipping,  # bought without a view
            paid(skipping, at + timedelta(hours=1)),
            did("view", "m3", at),
            did("complete", "m3", at + timedelta(hours=1)),  # completed without an order
        ]
    )
    steps = (await house.asked(conversion_pb2.GetFunnelRequest()))["steps"]
    assert [(one["step"], one["pairs"]) for one in steps] == [
        ("viewed", "2"),
        ("quoted", "1"),
        ("paid", "1"),
        ("completed", "1"),
    ]
