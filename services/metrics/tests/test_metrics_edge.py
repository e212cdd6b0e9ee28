"""The service's edge: who may ask, what is refused by which field, and what every answer says about itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from metrics_facts import did, ordered, published, registered, some_facts
from metrics_house import NOW, MetricsHouse, metrics_house

from eventfold.errors import InvalidInput, NotPermitted, Unauthenticated
from lyceum.metrics.v1 import activity_pb2 as activity
from lyceum.metrics.v1 import conversion_pb2 as conversion
from lyceum.metrics.v1 import metrics_pb2 as pb
from lyceum.metrics.v1 import quality_pb2 as quality
from lyceum.metrics.v1 import retention_pb2 as retention
from lyceum.metrics.v1 import revenue_pb2 as revenue
from servicekit.caller import Caller
from servicekit.testing import refused

YESTERDAY = (NOW - timedelta(days=1)).astimezone(UTC)
OF_CREATORS = (
    activity.GetActivityTrendRequest,
    activity.GetActivityBreakdownRequest,
    retention.GetCohortsRequest,
    retention.GetRetentionForecastRequest,
    revenue.GetRevenueTrendRequest,
    revenue.GetRevenueForecastRequest,
    revenue.GetBuyingForecastRequest,
    conversion.GetFunnelRequest,
    conversion.GetAttributionRequest,
    quality.GetContentQualityRequest,
)
"""Queries of which creators may ask for their own figures."""
OF_ALL = (
    pb.GetOverviewRequest,
    pb.GetRevenueRequest,
    pb.GetActivityRequest,
    pb.GetRetentionRequest,
    activity.ListRestatementsRequest,
    retention.GetCalibrationRequest,
    *OF_CREATORS,
)
"""Queries that operators may ask without naming anybody."""


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[MetricsHouse]:
    async with metrics_house(postgres_url, tmp_path) as one:
        yield one


async def told(house: MetricsHouse) -> None:
    facts = [registered("m1", YESTERDAY), published("c1", YESTERDAY, "creator1"), did("view", "m1", NOW)]
    await house.hear([*facts, *ordered("o1", "m1", 700, NOW.astimezone(UTC), creator="creator1")])


async def test_every_question_needs_a_caller(house: MetricsHouse) -> None:
    for request in OF_ALL:
        with pytest.raises(Unauthenticated):
            await house.call(request(), None)


async def test_members_ask_for_their_own_figures_only(house: MetricsHouse) -> None:
    await told(house)
    me = Caller("m1", "consumer", "session")
    assert (await house.asked(pb.GetMemberActivityRequest(member_id="m1"), me))["interactions"] == "1"
    for request in (pb.GetMemberRetentionRequest(member_id="m2"), *(one() for one in OF_ALL)):
        with pytest.raises(NotPermitted):
            await house.call(request, me)


async def test_creators_ask_for_figures_of_their_own_content_only(house: MetricsHouse) -> None:
    await told(house)
    me = Caller("creator1", "creator", "session")
    for request in OF_CREATORS:
        await house.call(request(creator_id="creator1"), me)
        for other in ("", "creator2", "creator1 "):
            with pytest.raises(NotPermitted):
                await house.call(request(creator_id=other), me)
    mine = await house.asked(activity.GetActivityBreakdownRequest(creator_id="creator1"), me)
    assert [one["key"] for one in mine["shares"]] == ["c1"]


async def test_another_creators_content_shows_nothing_to_who_names_it(house: MetricsHouse) -> None:
    await told(house)
    await house.hear([published("c1", YESTERDAY, "creator1"), published("c9", YESTERDAY, "creator9")])
    other = Caller("creator9", "creator", "session")
    shares = activity.GetActivityBreakdownRequest(creator_id="creator9", content_id="c1")
    assert (await house.asked(shares, other))["shares"] == []
    trend = revenue.GetRevenueTrendRequest(creator_id="creator9", product_id="c1")
    assert (await house.asked(trend, other))["total"]["charged_minor"] == "0"
    rated = quality.GetContentQualityRequest(creator_id="creator9", content_id="c1")
    assert (await house.asked(rated, other))["contents"] == []


BAD = (
    (pb.GetRetentionRequest(t_days=[1, 0]), "t_days"),
    (pb.GetRetentionRequest(t_days=[1] * 101), "t_days"),
    (pb.GetActivityRequest(window_days=-1), "window_days"),
    (pb.GetActivityRequest(window_days=3661), "window_days"),
    (pb.GetMemberActivityRequest(), "member_id"),
    (pb.GetMemberRetentionRequest(member_id="m1", w_history=-1), "w_history"),
    (pb.GetMemberRetentionRequest(member_id="m1", w_current=float("nan")), "w_current"),
    (pb.GetRevenueRequest(currency="yuan"), "currency"),
    (pb.GetRevenueRequest(window_days=-1), "window_days"),
    (pb.GetOverviewRequest(as_of=Timestamp(seconds=-3_000_000_000)), "as_of"),
    (pb.GetOverviewRequest(as_of=Timestamp(seconds=40_000_000_000)), "as_of"),
    (activity.GetActivityTrendRequest(period="year"), "period"),
    (activity.GetActivityTrendRequest(periods=401), "periods"),
    (activity.GetActivityTrendRequest(periods=-1), "periods"),
    (activity.GetActivityTrendRequest(tag="t" * 101), "tag"),
    (activity.GetActivityBreakdownRequest(by="member"), "by"),
    (activity.GetActivityBreakdownRequest(limit=201), "limit"),
    (activity.ListRestatementsRequest(limit=501), "limit"),
    (retention.GetCohortsRequest(start="birth"), "start"),
    (retention.GetCohortsRequest(measure="N"), "measure"),
    (retention.GetCohortsRequest(clock="sun"), "clock"),
    (retention.GetCohortsRequest(clock="member", period="month"), "period"),
    (retention.GetCohortsRequest(cohorts=121), "cohorts"),
    (retention.GetCohortsRequest(intervals=121), "intervals"),
    (retention.GetCohortsRequest(bracket_first=[1], bracket_last=[2]), "bracket_first"),
    (retention.GetCohortsRequest(measure="bracket"), "bracket_first"),
    (retention.GetCohortsRequest(measure="bracket", bracket_first=[1]), "bracket_last"),
    (retention.GetCohortsRequest(measure="bracket", bracket_first=[3], bracket_last=[2]), "bracket_last"),
    (retention.GetCohortsRequest(measure="bracket", bracket_first=[1, 2], bracket_last=[2, 3]), "bracket_first"),
    (retention.GetCohortsRequest(measure="bracket", bracket_first=[-1], bracket_last=[2]), "bracket_first"),
    (retention.GetCohortsRequest(currency="XXQ"), "currency"),
    (retention.GetRetentionForecastRequest(fit_periods=3), "fit_periods"),
    (retention.GetRetentionForecastRequest(ahead_periods=61), "ahead_periods"),
    (retention.GetRetentionForecastRequest(start="first_paid"), "start"),
    (retention.GetCalibrationRequest(weeks=27), "weeks"),
    (revenue.GetRevenueTrendRequest(period="hour"), "period"),
    (revenue.GetRevenueForecastRequest(window_days=367), "window_days"),
    (revenue.GetRevenueForecastRequest(windows=53), "windows"),
    (revenue.GetBuyingForecastRequest(ahead_weeks=105), "ahead_weeks"),
    (conversion.GetFunnelRequest(within_days=367), "within_days"),
    (conversion.GetAttributionRequest(within_days=31), "within_days"),
    (quality.GetContentQualityRequest(order="stars"), "order"),
)


async def test_bad_input_is_refused_by_its_field(house: MetricsHouse) -> None:
    for request, field in BAD:
        refusal = await refused(house.asked(request), InvalidInput)
        assert refusal.field == field, request


async def test_the_largest_questions_are_answered(house: MetricsHouse) -> None:
    await house.hear(some_facts(5, 100, NOW))
    for request in (
        activity.GetActivityTrendRequest(periods=400, period="month"),
        activity.GetActivityTrendRequest(periods=400),
        retention.GetCohortsRequest(cohorts=120, intervals=120, period="month"),
        retention.GetCohortsRequest(cohorts=120, intervals=120, clock="member", measure="rolling"),
        retention.GetRetentionForecastRequest(fit_periods=60, ahead_periods=60, period="day"),
        retention.GetCalibrationRequest(weeks=26),
        revenue.GetRevenueTrendRequest(periods=400, period="month"),
        revenue.GetRevenueForecastRequest(window_days=366, windows=52),
        revenue.GetBuyingForecastRequest(ahead_weeks=104),
        conversion.GetFunnelRequest(window_days=3660, within_days=366),
    ):
        assert (await house.asked(request))["definition"]


async def test_an_empty_community_has_answers_to_everything(house: MetricsHouse) -> None:
    for request in OF_ALL:
        for as_of in (None, datetime(1970, 1, 2, tzinfo=UTC)):
            asked: Any = request()
            if as_of is not None:
                asked.as_of.FromDatetime(as_of)
            assert "nan" not in str(await house.asked(asked)).lower()


async def test_a_single_member_has_answers_to_everything(house: MetricsHouse) -> None:
    await told(house)
    for request in OF_ALL:
        assert "nan" not in str(await house.asked(request())).lower()


async def test_an_answer_says_its_window_zone_moment_and_definition(house: MetricsHouse) -> None:
    await told(house)
    found = await house.asked(pb.GetActivityRequest(window_days=7))
    assert found["window"] == {
        "from": "2026-03-03T16:00:00Z",
        "to": "2026-03-10T16:00:00Z",
        "days": 7,
        "time_zone": "Asia/Shanghai",
    }
    assert found["as_of"] == "2026-03-10T12:30:00Z" and found["formula"].startswith("A(t) = sum(I_i(t))/n")
    assert found["weights"]["complete"] == 4.0
    for request in OF_CREATORS:
        answer = await house.asked(request())
        assert answer["definition"] and answer["window"]["time_zone"] == "Asia/Shanghai"
        assert answer["freshness"]["sources"], request


async def test_weights_of_the_score_may_be_given_even_as_0(house: MetricsHouse) -> None:
    await told(house)
    request = pb.GetMemberRetentionRequest(member_id="m1", w_current=0.0)
    assert (await house.asked(request))["score"] == 0.0
    request.w_current = 0.2
    found = await house.asked(request)
    assert (found["score"], found["current"], found["probability"]) == (0.2, 1.0, 0.5)


async def test_weights_of_kinds_are_settings(postgres_url: str, tmp_path: Path) -> None:
    async with metrics_house(postgres_url, tmp_path, metrics_weights={"view": 7.0}) as house:
        await told(house)
        found = await house.asked(pb.GetActivityRequest())
        assert (found["weighted_activity"], found["weights"]["view"], found["weights"]["like"]) == (7.0, 7.0, 2.0)


async def test_retention_points_default_to_a_day_a_week_and_a_month(house: MetricsHouse) -> None:
    found = await house.asked(pb.GetRetentionRequest())
    assert [point["t_days"] for point in found["points"]] == [1, 7, 30]
