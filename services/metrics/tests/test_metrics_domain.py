"""The definitions, each with its worked case."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.activity.domain import Activity, MemberActivity
from metrics.domain import periods
from metrics.domain.kinds import QUALITY
from metrics.domain.periods import PERIODS, Period
from metrics.domain.windows import day_of, ending, midnight
from metrics.retention.domain.calibration import MemberWeeks, Tally, bucket, calibrate
from metrics.retention.domain.reliability import judged
from metrics.retention.domain.retention import Engagement, Survival
from metrics.revenue.domain.revenue import Revenue

D = date(2026, 3, 10)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_retention_is_p_to_the_power_of_t() -> None:
    found = Survival(survived=9, exposed=10)
    assert (found.p, found.retained(1)) == (0.9, 0.9)
    assert found.retained(2) == pytest.approx(0.81)


def test_without_exposure_p_is_0() -> None:
    assert Survival(0, 0).p == 0.0


def test_the_worked_score_is_4_4() -> None:
    engagement = Engagement(history_interactions=20, current_interactions=2)
    assert (engagement.history, engagement.current, engagement.score()) == (5.0, 2.0, 4.4)


def test_the_weights_are_the_callers() -> None:
    assert Engagement(8, 4).score(0.5, 1.5) == 7.0


def test_10_interactions_in_30_days_are_a_third_a_day() -> None:
    assert MemberActivity(10, ending(D, 30, SHANGHAI)).rate_per_day == pytest.approx(1 / 3)


def test_activity_is_per_member_and_0_without_members() -> None:
    window = ending(D, 30, SHANGHAI)
    found = Activity({"view": 29, "comment": 1}, 12, window, QUALITY)
    assert (found.activity, found.per_day, found.weighted) == (2.5, pytest.approx(2.5 / 30), pytest.approx(32 / 12))
    nobody = Activity({"view": 2}, 0, window, QUALITY)
    assert (nobody.activity, nobody.per_day, nobody.weighted) == (0.0, 0.0, 0.0)


def test_1000_members_and_100_buyers_of_100_make_10_000() -> None:
    found = Revenue(members=1000, payers=100, revenue_minor=1_000_000)
    assert (found.mean_spend_minor, found.conversion) == (Fraction(10_000), Fraction(1, 10))
    assert found.product_minor == 1_000_000


@given(members=st.integers(1, 10**6), payers=st.integers(1, 10**6), revenue_minor=st.integers(1, 10**12))
def test_n_times_c_times_p_is_the_revenue_exactly(members: int, payers: int, revenue_minor: int) -> None:
    assert Revenue(members, payers, revenue_minor).product_minor == revenue_minor


def test_revenue_without_payers_or_members_is_0() -> None:
    assert Revenue(10, 0, 0).product_minor == 0
    assert Revenue(0, 0, 0).conversion == 0


def test_a_window_is_whole_days_of_its_zone_and_ends_with_the_day_of_as_of() -> None:
    window = ending(D, 7, SHANGHAI)
    assert (window.first_day, window.days) == (D - timedelta(days=6), 7)
    assert window.start == datetime(2026, 3, 3, 16, tzinfo=UTC)
    assert window.end == datetime(2026, 3, 10, 16, tzinfo=UTC)
    assert window.before(28).last_day == window.first_day - timedelta(days=1)


def test_a_day_begins_at_midnight_of_the_zone() -> None:
    assert day_of(midnight(D, SHANGHAI), SHANGHAI) == D
    assert day_of(midnight(D, SHANGHAI) - timedelta(microseconds=1), SHANGHAI) == D - timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "day", "first", "hours"),
    [
        ("America/St_Johns", date(2009, 11, 1), datetime(2009, 11, 1, 2, 30, tzinfo=UTC), 25),  # 00:01 to 23:01
        ("America/Havana", date(2024, 3, 10), datetime(2024, 3, 10, 5, tzinfo=UTC), 23),  # 00:00 to 01:00
        ("America/Havana", date(2024, 11, 3), datetime(2024, 11, 3, 4, tzinfo=UTC), 25),  # 01:00 to 00:00
        ("Africa/Cairo", date(2023, 4, 28), datetime(2023, 4, 27, 22, tzinfo=UTC), 23),  # 00:00 to 01:00
        ("America/Toronto", date(1919, 3, 31), datetime(1919, 3, 31, 4, 30, tzinfo=UTC), 23.5),  # 23:30 to 00:30
        ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC), 0),  # left out
    ],
)
def test_a_day_begins_once_where_clocks_change_at_midnight(zone: str, day: date, first: datetime, hours: float) -> None:
    window = ending(day, 1, ZoneInfo(zone))
    assert (window.start, window.end - window.start) == (first, timedelta(hours=hours))


CHANGES = [
    ("America/St_Johns", datetime(2009, 11, 1, 2, 31, tzinfo=UTC)),
    ("America/St_Johns", datetime(2009, 3, 8, 3, 31, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2023, 4, 27, 22, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2023, 10, 26, 21, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 4, 6, 15, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(1991, 9, 14, 15, tzinfo=UTC)),
    ("America/Havana", datetime(2024, 3, 10, 5, tzinfo=UTC)),
    ("America/Havana", datetime(2024, 11, 3, 5, tzinfo=UTC)),
    ("America/Toronto", datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("America/Sitka", datetime(1867, 10, 19, 0, 31, tzinfo=UTC)),
]
"""Moments at which clocks were changed, most of them near midnight."""
NEAR = st.timedeltas(timedelta(hours=-30), timedelta(hours=30))
MOMENTS = st.one_of(
    st.tuples(st.sampled_from(CHANGES), NEAR).map(lambda one: (one[0][0], one[0][1] + one[1])),
    st.tuples(
        st.sampled_from(sorted({zone for zone, _ in CHANGES})),
        st.datetimes(datetime(1850, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ),
)


@given(MOMENTS, st.integers(-1, 1))
def test_the_window_of_a_day_has_exactly_the_moments_of_the_day(moment: tuple[str, datetime], beside: int) -> None:
    zone, at = ZoneInfo(moment[0]), moment[1]
    day = day_of(at, zone) + timedelta(days=beside)
    window = ending(day, 1, zone)
    assert (window.start <= at < window.end) == (beside == 0)


@given(MOMENTS)
def test_a_day_is_the_one_that_the_clock_shows_or_showed_before_it_went_back(moment: tuple[str, datetime]) -> None:
    zone, at = ZoneInfo(moment[0]), moment[1]
    day, shown = day_of(at, zone), at.astimezone(zone).date()
    assert day == shown or (day == shown + timedelta(days=1) and day_of(at - timedelta(days=1), zone) <= shown)


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_first_and_the_last_moment_have_a_day(at: datetime) -> None:
    assert day_of(at, ZoneInfo("UTC")) == at.date()


def test_probability_is_the_smoothed_share_of_earlier_situations_that_were_followed_by_activity() -> None:
    every_week = MemberWeeks(registered_week=3, interactions={0: 5, 1: 5, 2: 5, 3: 5})
    stopped = MemberWeeks(registered_week=2, interactions={1: 5, 2: 5})
    found = calibrate([every_week, stopped], registered={3: 1, 2: 1})
    assert found.of(Engagement(0, 5)) == Tally(2, 2)
    assert found.of(Engagement(5, 5)) == Tally(3, 2)
    assert found.of(Engagement(5, 5)).probability == 0.6
    assert found.of(Engagement(15, 5)).situations == 0


def test_quiet_members_count_as_quiet_situations_since_they_registered() -> None:
    found = calibrate([], registered={0: 5, 2: 3})
    assert found.of(Engagement(0, 0)) == Tally(6, 0)
    assert found.of(Engagement(0, 0)).probability == pytest.approx(1 / 8)


def test_an_unknown_situation_is_even() -> None:
    assert calibrate([], {}).of(Engagement(3, 3)).probability == 0.5


@pytest.mark.parametrize(
    ("history", "current", "expected"),
    [(0, 0, (0, 0)), (1, 1, (1, 1)), (3, 2, (1, 1)), (4, 3, (2, 2)), (12, 9, (3, 2)), (40, 10, (4, 3))],
)
def test_buckets(history: int, current: int, expected: tuple[int, int]) -> None:
    assert bucket(Engagement(history, current)) == expected


@given(day=st.dates(), period=st.sampled_from(PERIODS))
def test_a_period_holds_its_days_and_its_neighbours_do_not(day: date, period: Period) -> None:
    number = periods.number(day, period)
    assert periods.first_day(number, period) <= day
    if day < date(9999, 12, 1):
        assert day < periods.first_day(number + 1, period)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert periods.first_day(periods.number(date(2026, 3, 10), "week"), "week") == date(2026, 3, 9)
    assert periods.first_day(periods.number(date(2026, 3, 10), "month"), "month") == date(2026, 3, 1)
    assert periods.ending(D, 3, "month", SHANGHAI).window.first_day == date(2026, 1, 1)


def test_a_period_is_closed_with_its_last_day() -> None:
    sunday = date(2026, 3, 15)
    assert periods.ending(sunday, 2, "week", SHANGHAI).closed == periods.number(sunday, "week")
    assert periods.ending(D, 2, "week", SHANGHAI).closed == periods.number(D, "week") - 1


def test_probabilities_that_hold_lie_on_the_diagonal_and_beat_the_base_rate() -> None:
    """Given members who are always or never active, when judged, then both were foreseen from their past alone."""
    weeks = range(60)
    always = [MemberWeeks(59, dict.fromkeys(weeks, 5)) for _ in range(40)]
    found = judged(always, {59: 100}, 8)
    assert found.situations == 800
    assert [(one.at, one.situations) for one in found.bins] == [(0, 480), (9, 320)]
    for one in found.bins:
        assert one.predicted == pytest.approx(one.observed, abs=0.01)
    assert found.brier < 0.001 < found.brier_of_base_rate == pytest.approx(0.24)


def test_probabilities_are_judged_by_what_was_not_known() -> None:
    """Given members who stopped a week ago, when the week before is judged, then their silence was not foreseen."""
    stopped = [MemberWeeks(59, dict.fromkeys(range(1, 60), 5)) for _ in range(50)]
    found = judged(stopped, {59: 50}, 1)
    assert [(one.at, one.observed) for one in found.bins] == [(9, 0.0)]
    assert found.brier > 0.9


def test_without_members_nothing_is_judged() -> None:
    assert judged([], {}, 8).situations == 0
