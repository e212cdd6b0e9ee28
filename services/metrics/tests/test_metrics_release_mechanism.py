"""The noise that is drawn against the theory that is declared: its spread, its error bars, and what a neighbour can
tell."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import accumulate

import numpy as np
import pytest
from scipy.stats import beta

from metrics.release.asking import numbers_of
from metrics.release.domain.drawing import Wanted, noise
from metrics.release.domain.loss import nano_of
from metrics.release.domain.mechanism import (
    Bounds,
    Mechanism,
    half_width,
    is_drawable,
    probability,
    probability_within,
    variance,
)
from metrics.release.noise.process import NoiseProcess

DRAWS = 20_000
TRIES = 3
"""Noise cannot be seeded, so a sound mechanism leaves a 99% interval in one of 100 runs. What is asserted has to hold
in one of so many: a sound mechanism fails once in 10^6, a broken one is found each time."""
CONFIDENCE = 0.99

COUNT = noise("pure", nano_of(1.0), Bounds())
MECHANISMS = [
    COUNT,
    noise("pure", nano_of(0.1), Bounds()),
    noise("pure", nano_of(5.0), Bounds()),
    noise("pure", nano_of(0.5), Bounds(high=100)),
    noise("pure", nano_of(0.5), Bounds(per_partition=10, low=-2, high=2)),
    noise("pure", nano_of(0.5), Bounds(partitions=3)),
    noise("zcdp", nano_of(0.5), Bounds()),
    noise("zcdp", nano_of(0.02), Bounds(partitions=3)),
    noise("zcdp", nano_of(0.02), Bounds(high=100_000)),
    noise("zcdp", nano_of(5.0), Bounds()),
]


@pytest.fixture
async def noise_process() -> AsyncIterator[NoiseProcess]:
    process = NoiseProcess()
    yield process
    await process.aclose()


async def drawn(process: NoiseProcess, mechanism: Mechanism, value: int = 0) -> list[int]:
    wanted = Wanted("x", mechanism, (("", value),) * (DRAWS // 2))
    found = [await process.draw(numbers_of([wanted]), 60) for _ in range(2)]
    return [number for [numbers] in found for number in numbers if number is not None]


async def holds(trial: Callable[[], Awaitable[bool]]) -> bool:
    for _ in range(TRIES):
        if await trial():
            return True
    return False


@pytest.mark.parametrize("mechanism", [one for one in MECHANISMS if one.scale <= 1000], ids=str)
def test_the_theory_adds_up(mechanism: Mechanism) -> None:
    half = [probability(mechanism, n) for n in range(math.ceil(mechanism.scale * 45) + 2)]
    assert half[0] + 2 * sum(half[1:]) == pytest.approx(1.0, abs=1e-9)
    assert 2 * sum(n * n * one for n, one in enumerate(half)) == pytest.approx(variance(mechanism), rel=1e-6)
    within = [half[0], *(half[0] + 2 * more for more in accumulate(half[1:]))]
    assert half_width(mechanism) == next(n for n, one in enumerate(within) if one >= 0.95)
    assert probability_within(mechanism, 2) == pytest.approx(within[2])


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=str)
async def test_draws_spread_as_the_theory_says_at_the_declared_sensitivity(
    noise_process: NoiseProcess, mechanism: Mechanism
) -> None:
    assert await holds(lambda: _spreads_as(noise_process, mechanism, mechanism))


async def test_a_mechanism_with_noise_for_half_the_sensitivity_is_found(noise_process: NoiseProcess) -> None:
    declared, broken = noise("pure", nano_of(0.5), Bounds(high=2)), noise("pure", nano_of(0.5), Bounds())
    assert not await holds(lambda: _spreads_as(noise_process, broken, declared))
    nearly = noise("pure", nano_of(0.55), Bounds(high=2))
    assert not await holds(lambda: _spreads_as(noise_process, nearly, declared))


async def _spreads_as(process: NoiseProcess, used: Mechanism, declared: Mechanism) -> bool:
    """Whether mean and mean square of the draws are within the 99% interval of the declared noise."""
    values = np.array(await drawn(process, used), dtype=float)
    squares = values**2
    wide = 2.5758 / math.sqrt(DRAWS)
    mean_is_right = abs(values.mean()) <= wide * math.sqrt(variance(declared)) * 1.1
    return bool(mean_is_right and abs(squares.mean() - variance(declared)) <= wide * squares.std())


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=str)
async def test_error_bars_hold_as_often_as_they_say(noise_process: NoiseProcess, mechanism: Mechanism) -> None:
    async def covers() -> bool:
        within = sum(abs(value) <= half_width(mechanism) for value in await drawn(noise_process, mechanism))
        low, high = _clopper_pearson(within, DRAWS)
        return low <= probability_within(mechanism, half_width(mechanism)) <= high

    assert probability_within(mechanism, half_width(mechanism)) >= 0.95
    assert await holds(covers)


@pytest.mark.parametrize("mechanism", [COUNT, noise("pure", nano_of(0.005), Bounds()), MECHANISMS[6]], ids=str)
@pytest.mark.parametrize("terms", [2, 5, 14])
async def test_error_bars_of_sums_hold_as_often_as_they_say(
    noise_process: NoiseProcess, mechanism: Mechanism, terms: int
) -> None:
    width = half_width(mechanism, terms)

    async def covers() -> bool:
        values = np.array(await drawn(noise_process, mechanism))
        sums = values[: DRAWS // terms * terms].reshape(-1, terms).sum(axis=1)
        low, high = _clopper_pearson(int((np.abs(sums) <= width).sum()), len(sums))
        return low <= probability_within(mechanism, width, terms) <= high

    assert probability_within(mechanism, width - 1, terms) < 0.95 <= probability_within(mechanism, width, terms)
    assert await holds(covers)


async def test_two_data_sets_that_differ_by_one_member_cannot_be_told_apart_beyond_epsilon(
    noise_process: NoiseProcess,
) -> None:
    for mechanism, moved in [(COUNT, 1), (noise("pure", nano_of(0.5), Bounds(partitions=1, high=7)), 7)]:
        with_member, without = (
            await drawn(noise_process, mechanism, 100 + moved),
            await drawn(noise_process, mechanism, 100),
        )
        assert not proven_apart(with_member, without, mechanism.amount)


async def test_data_sets_that_differ_by_more_than_the_bounds_are_told_apart(noise_process: NoiseProcess) -> None:
    """A member who is counted three times under noise for once, and noise of twice the epsilon that is declared."""
    thrice, once = await drawn(noise_process, COUNT, 103), await drawn(noise_process, COUNT, 100)
    assert proven_apart(thrice, once, COUNT.amount)
    louder = noise("pure", nano_of(2.0), Bounds())
    assert proven_apart(await drawn(noise_process, louder, 101), await drawn(noise_process, louder, 100), 1.0)


def proven_apart(one: Sequence[int], other: Sequence[int], epsilon: float) -> bool:
    """Whether some event is, with confidence 99% over all events looked at, more than e^epsilon times as likely under
    one of the two. Events are single values and all values from one on."""
    events = [*_events(one, other)]
    confidence = 1 - (1 - CONFIDENCE) / (2 * len(events))
    for in_one, in_other in events:
        for these, those in ((in_one, in_other), (in_other, in_one)):
            low, _ = _clopper_pearson(these, len(one), confidence)
            _, high = _clopper_pearson(those, len(other), confidence)
            if low > math.exp(epsilon) * high:
                return True
    return False


def _events(one: Sequence[int], other: Sequence[int]) -> list[tuple[int, int]]:
    counts, others = Counter(one), Counter(other)
    values = sorted({*counts, *others})
    at_least = [(sum(counts[v] for v in values[n:]), sum(others[v] for v in values[n:])) for n in range(len(values))]
    return [*((counts[value], others[value]) for value in values), *at_least]


def _clopper_pearson(hits: int, tries: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval of a probability."""
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, tries - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(1 - tail, hits + 1, tries - hits)) if hits < tries else 1.0


async def test_noised_numbers_are_whole_and_tell_nothing_by_their_last_bits(noise_process: NoiseProcess) -> None:
    """opendp #414: the precision of a noisy double told the number under it. There is one grid here, whatever the
    number."""
    for value in (0, 1, 10**12):
        assert all(type(one) is int for one in await drawn(noise_process, COUNT, value))
        wide = await drawn(noise_process, noise("pure", nano_of(0.01), Bounds()), value)
        odd = sum((one - value) % 2 for one in wide)
        assert abs(2 * odd - DRAWS) < 6 * math.sqrt(DRAWS)


@pytest.mark.parametrize(
    ("mechanism", "drawable"),
    [
        (noise("pure", 0, Bounds()), False),
        (noise("pure", -1, Bounds()), False),
        (noise("pure", 1, Bounds(high=10**6)), False),
        (noise("pure", nano_of(1000.0), Bounds()), False),
        (noise("pure", 10**6, Bounds(high=10**6)), True),
        (noise("zcdp", 1, Bounds()), True),
        (noise("zcdp", 1, Bounds(high=10**9)), False),
    ],
)
def test_noise_that_is_none_or_wider_than_whole_numbers_hold_is_known(mechanism: Mechanism, drawable: bool) -> None:
    assert is_drawable(mechanism) is drawable


def test_bounds_imply_the_sensitivity() -> None:
    bounds = Bounds(partitions=3, per_partition=10, low=-2, high=1)
    assert (bounds.l1, bounds.l2_squared) == (60, 1200)
    assert noise("pure", nano_of(0.5), bounds).scale == 120
    assert noise("zcdp", nano_of(0.5), bounds).scale == pytest.approx(math.sqrt(1200))
