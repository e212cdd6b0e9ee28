"""A survival vector out of one noisy histogram: whatever is done here with the noisy numbers costs no privacy."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate


def survivors(last_periods: Sequence[int]) -> list[int]:
    """From noisy numbers of members by their last active period (first: never active) to noisy numbers of those who
    were active then or later. The first of them is the size of the cohort.

    Each member is in one place of the histogram only, so one member moves it by 1, whereas it would move a survival
    vector in each of its places.
    """
    return list(accumulate(reversed(last_periods)))[::-1]


def monotone(values: Sequence[int]) -> list[int]:
    """The non-increasing whole numbers that are nearest to `values`, none below 0: isotonic regression by pooling
    neighbours that violate the order, then rounding, which keeps it.

    Value k is a sum of n - k noises, so it weighs 1/(n - k).
    """
    pools: list[tuple[Fraction, Fraction, int]] = []  # mean, weight, length
    for index, value in enumerate(values):
        pools.append((Fraction(value), Fraction(1, len(values) - index), 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            pools[-2:] = [_pooled(*pools[-2:])]
    return [max(0, round(mean)) for mean, _, length in pools for _ in range(length)]


def _pooled(
    one: tuple[Fraction, Fraction, int], other: tuple[Fraction, Fraction, int]
) -> tuple[Fraction, Fraction, int]:
    weight = one[1] + other[1]
    return (one[0] * one[1] + other[0] * other[1]) / weight, weight, one[2] + other[2]
