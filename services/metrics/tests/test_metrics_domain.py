"""The definitions, each with its worked case."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.domain.activity import per_day, per_member, weighted_per_member
from metrics.domain.calibration import MemberWeeks, Tally, bucket, calibrate
from metrics.domain.retention import Engagement, Survival, survival
from metrics.domain.revenue import Revenue
from metrics.domain.windows import day_of, ending, midnight

D = date(2026, 3, 10)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def days(*back: int) -> list[date]:
    return [D - timedelta(days=n) for n in back]


def test_retention_is_p_to_the_power_of_t() -> None:
    found = Survival(survived=9, exposed=10)
    assert (found.p, found.retained(1)) == (0.9, 0.9)
    assert found.retained(2) == pytest.approx(0.81)


def test_an_active_day_is_exposed_once_its_next_day_is_observed() -> None:
    assert survival({"m1": days(2, 1, 0)}, D) == Survival(2, 2)
    assert survival({"m1": days(3, 1), "m2": days(1, 0)}, D) == Survival(1, 3)


def test_days_after_as_of_are_not_looked_at() -> None:
    assert survival({"m1": days(2, 1, 0)}, D - timedelta(days=1)) == Survival(1, 1)


def test_without_exposure_p_is_0_and_says_so() -> None:
    assert survival({"m1": days(0)}, D) == Survival(0, 0)
    assert Survival(0, 0).p == 0.0


def test_the_worked_score_is_4_4() -> None:
    engagement = Engagement(history_interactions=20, current_interactions=2)
    assert (engagement.history, engagement.current, engagement.score()) == (5.0, 2.0, 4.4)


def test_the_weights_are_the_callers() -> None:
    assert Engagement(8, 4).score(0.5, 1.5) == 7.0


def test_10_interactions_in_30_days_are_a_third_a_day() -> None:
    assert per_day(10, 30) == pytest.approx(1 / 3)


def test_activity_is_per_member_and_0_without_members() -> None:
    assert (per_member(30, 12), per_member(3, 0)) == (2.5, 0.0)
    assert weighted_per_member({"view": 2, "comment": 1}, 2) == 2.5
    assert weighted_per_member({"view": 2}, 0) == 0.0


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
