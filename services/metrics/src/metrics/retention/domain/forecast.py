"""Survival of a panel of members, and how three models project it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from metrics.fitting.survival import MODELS, Fitted, rolling_errors

FORMULA_FORECAST = (
    "panel: members (accounts of consumers and creators) whose first intervals up to the last observed one have "
    "closed; left after interval t: active in interval t or later (unbounded), so the last intervals lack those who "
    "will come back; models: p^t, shifted beta-geometric and beta-discrete-Weibull, fitted to the panel's counts; "
    "chosen: the least mean absolute percentage error by rolling origin; interval: 5% to 95% of 2,000 panels drawn "
    "from the fitted model"
)
LEAST_MEMBERS: Final = 20
"""Of fewer nothing is projected."""
AHEAD_JUDGED: Final = 4
DRAWS: Final = 2_000
LOW_PERCENT, HIGH_PERCENT = 5.0, 95.0


@dataclass(frozen=True, slots=True)
class Projected:
    """One model: its fit, its error by rolling origin, and (share, low, high) after each interval from 0."""

    fitted: Fitted
    error_percent: float | None
    shares: Sequence[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Forecast:
    """The panel's survivors from interval 0, and the models, if there are members enough."""

    survivors: Sequence[int]
    models: Mapping[str, Projected]

    @property
    def chosen(self) -> str:
        """The name of the model with the least error; empty without any that could be judged."""
        judged = {name: one.error_percent for name, one in self.models.items() if one.error_percent is not None}
        return min(judged, key=lambda name: judged[name]) if judged else ""


def forecast(survivors: Sequence[int], ahead: int, seed: int) -> Forecast:
    """Fit and project all models. The same input gives the same intervals."""
    if survivors[0] < LEAST_MEMBERS:
        return Forecast(survivors, {})
    counts = [float(count) for count in survivors]
    errors = rolling_errors(counts, AHEAD_JUDGED)
    periods = len(survivors) - 1 + ahead
    models = {name: _projected(fit(counts), errors[name], survivors[0], periods, seed) for name, fit in MODELS.items()}
    return Forecast(survivors, models)


def _projected(fitted: Fitted, error: float | None, members: int, periods: int, seed: int) -> Projected:
    """Panels are drawn interval by interval: each member who is left stays with the model's retention rate."""
    drawing = np.random.default_rng(seed)
    shares = [fitted.share(period) for period in range(periods + 1)]
    left = np.full(DRAWS, members, dtype=np.int64)
    found = [(1.0, 1.0, 1.0)]
    for before, share in pairwise(shares):
        left = drawing.binomial(left, min(share / before, 1.0) if before > 0 else 0.0)
        low, high = np.percentile(left / members, [LOW_PERCENT, HIGH_PERCENT])
        found.append((share, float(low), float(high)))
    return Projected(fitted, error, found)
