"""Survival out of a noisy histogram: non-increasing, nearest, and never below 0."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from metrics.release.domain.survival import monotone, survivors

NUMBERS = st.lists(st.integers(-1000, 100_000), min_size=1, max_size=26)


def test_survivors_are_those_who_were_active_then_or_later() -> None:
    assert survivors([5, 3, 2, 10]) == [20, 15, 12, 10]


@given(NUMBERS)
def test_without_noise_survivors_never_increase_and_stay_as_they_are(histogram: list[int]) -> None:
    exact = survivors([abs(one) for one in histogram])
    assert monotone(exact) == exact and exact[0] == sum(map(abs, histogram))


@given(NUMBERS)
def test_with_noise_the_result_never_increases_and_is_never_below_0(values: list[int]) -> None:
    found = monotone(values)
    assert len(found) == len(values) and min(found) >= 0
    assert all(one >= other for one, other in pairwise(found))
    assert monotone(found) == found


@given(NUMBERS)
def test_it_is_the_isotonic_regression_that_weighs_by_the_noise(values: list[int]) -> None:
    weights = [1 / (len(values) - index) for index in range(len(values))]
    wanted = isotonic_regression(values, weights=weights, increasing=False).x
    assert monotone(values) == pytest.approx([max(0.0, one) for one in wanted], abs=0.51)
