"""Popularity against its definition, and what a clock that runs ahead may do to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.model.books import Change
from reco.model.parts.base import Profile
from reco.model.parts.popularity import HALF_LIVES_DAYS, Popularity
from reco.model.rows import DAY_US
from reco.model.timeline import Step

NOW_US = 20_000 * DAY_US
ITEMS = 3
NOTHING = np.empty(0, dtype=np.int64)


class Clock:
    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


def change(come: list[Step], gone: list[Step] | None = None) -> Change:
    return Change(0, NOTHING, gone or [], come)


def found(part: Popularity, now_us: int) -> list[list[float]]:
    profile = Profile(0, now_us, NOTHING, NOTHING, NOTHING, NOTHING, 0)
    scores = part.scores(profile, ITEMS)
    return [scores[name].tolist() for name in part.columns]


def defined(steps: list[Step], now_us: int) -> list[list[float]]:
    return [
        [
            math.log1p(sum(2.0 ** ((at_us - now_us) / (days * DAY_US)) for item, at_us in steps if item == number))
            for number in range(ITEMS)
        ]
        for days in HALF_LIVES_DAYS
    ]


ages_days = st.floats(0.0, 900.0)
steps = st.lists(st.tuples(st.integers(0, ITEMS - 1), ages_days.map(lambda days: NOW_US - int(days * DAY_US))))


@given(kept=steps, gone=steps, later=st.lists(st.tuples(st.integers(0, ITEMS - 1), st.integers(1, 10**15))))
def test_given_times_ahead_of_the_clock_when_scored_then_only_what_has_been_counts(
    kept: list[Step], gone: list[Step], later: list[Step]
) -> None:
    part = Popularity(Clock())
    for step in [*gone, *kept]:
        part.change(change([step]))
    for item, ahead_us in later:
        part.change(change([(item, NOW_US + ahead_us)]))
    for step in gone:
        part.change(change([], [step]))
    assert np.allclose(found(part, NOW_US), defined(kept, NOW_US), rtol=1e-5, atol=1e-5)


def test_given_a_time_ahead_when_it_comes_then_it_counts_and_can_be_taken_back() -> None:
    clock = Clock()
    part, ahead = Popularity(clock), (1, NOW_US + DAY_US)
    part.change(change([ahead]))
    part.change(change([ahead]))
    clock.now_us += 2 * DAY_US
    assert np.allclose(found(part, clock.now_us), defined([ahead, ahead], clock.now_us), rtol=1e-5)
    part.change(change([], [ahead]))
    assert np.allclose(found(part, clock.now_us), defined([ahead], clock.now_us), rtol=1e-5)


@pytest.mark.parametrize("passed_days", [0, 2])
def test_given_a_time_ahead_that_is_taken_back_when_scored_then_it_never_counts(passed_days: int) -> None:
    clock = Clock()
    part, ahead = Popularity(clock), (1, NOW_US + DAY_US)
    part.change(change([ahead]))
    clock.now_us += passed_days * DAY_US
    part.change(change([], [ahead]))
    assert not np.any(found(part, clock.now_us))
