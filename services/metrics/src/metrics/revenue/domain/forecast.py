"""R = N*C*P for the window to come: its interval, and how such forecasts did before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np

from metrics.revenue.domain.revenue import Revenue

FORMULA_FORECAST = (
    "R = N*C*P of the last window, taken for the next one; interval: 5% to 95% of 2,000 draws: P from a beta "
    "distribution (payers + 1, members - payers + 1), payers from a binomial one, and what each spends from what "
    "payers spent in the last window (parametric bootstrap). Trials: each earlier window, forecast in the same way "
    "from the one before it; coverage: share of the trials whose interval held what came"
)
DRAWS: Final = 2_000
LOW_PERCENT, HIGH_PERCENT = 5.0, 95.0


@dataclass(frozen=True, slots=True)
class Spent:
    """One window: members by its end, and how many of them spent each amount, in minor units."""

    first_day: date
    last_day: date
    members: int
    payers_by_spent: Mapping[int, int] = field(default_factory=dict)

    @property
    def revenue(self) -> Revenue:
        """Members, payers and revenue."""
        payers = sum(self.payers_by_spent.values())
        return Revenue(self.members, payers, sum(spent * count for spent, count in self.payers_by_spent.items()))


@dataclass(frozen=True, slots=True)
class Interval:
    """A point with its 90% interval, in minor units."""

    point_minor: float
    low_minor: float
    high_minor: float


@dataclass(frozen=True, slots=True)
class Trial:
    """A window as it was forecast, and what came."""

    window: Spent
    forecast: Interval

    @property
    def held(self) -> bool:
        """Whether the interval held what came."""
        return self.forecast.low_minor <= self.window.revenue.revenue_minor <= self.forecast.high_minor


@dataclass(frozen=True, slots=True)
class Forecast:
    """The window to come, and the trials, oldest first."""

    coming: Interval
    latest: Revenue
    trials: Sequence[Trial]

    @property
    def coverage(self) -> float | None:
        """Share of the trials that held; None without any."""
        return sum(one.held for one in self.trials) / len(self.trials) if self.trials else None

    @property
    def error_percent(self) -> float | None:
        """Mean absolute percentage error, over the trials in which something was earned; None without any."""
        errors = [
            abs(one.forecast.point_minor / one.window.revenue.revenue_minor - 1.0)
            for one in self.trials
            if one.window.revenue.revenue_minor
        ]
        return 100.0 * sum(errors) / len(errors) if errors else None


def forecast(windows: Sequence[Spent], seed: int) -> Forecast:
    """From consecutive windows, oldest first, at least one. The first without members are not tried."""
    known = [at for at, one in enumerate(windows) if one.members]
    tried = range(known[0] + 1 if known else len(windows), len(windows))
    trials = [Trial(windows[at], interval(windows[at - 1], seed)) for at in tried]
    return Forecast(interval(windows[-1], seed), windows[-1].revenue, trials)


def interval(window: Spent, seed: int) -> Interval:
    """What a window like this one may bring. Nothing is certain: with members and no payer the upper end is 0, because
    no amount is known."""
    found = window.revenue
    if not found.payers:
        return Interval(0.0, 0.0, 0.0)
    drawing = np.random.default_rng(seed)
    members = max(found.members, found.payers)  # a payer may be an account of an operator
    conversions = drawing.beta(found.payers + 1, members - found.payers + 1, DRAWS)
    sums = _sums(drawing, window, drawing.binomial(members, conversions))
    low, high = np.percentile(sums, [LOW_PERCENT, HIGH_PERCENT])
    return Interval(float(found.revenue_minor), float(low), float(high))


def _sums(drawing: np.random.Generator, window: Spent, payers: Any) -> Any:
    """For each number of payers, the sum of what so many spend: each one as much as some payer of the window."""
    amounts = np.array(sorted(window.payers_by_spent), dtype=np.float64)
    counts = np.array([window.payers_by_spent[int(amount)] for amount in amounts], dtype=np.float64)
    chosen = drawing.multinomial(payers, counts / counts.sum())
    return chosen @ amounts
