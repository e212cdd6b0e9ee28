"""How many members of a cohort are left after each period: three models with one interface. The parameters of sBG and
BdW are those of the greatest likelihood.

A cohort's survivors are counted at the periods 0, 1, 2, …; nobody comes back. `share(t)` is the share that is left
after t periods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import betaln

from metrics.fitting.searching import Floats, searched

LOG_BOUND: Final = 10.0
"""Parameters lie between e^-10 and e^10: beyond, the likelihood is flat and the fit would run away."""
SHAPE_BOUND: Final = 1.5
"""ln of the greatest c of BdW, and of the least: beyond, few periods say nothing about it (it runs away)."""
STARTS: Final = (-1.0, 0.0, 1.5)
"""ln of the parameters from which each search begins."""
LEAST_SHARE: Final = 1e-300


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model with its parameters, its log-likelihood, and the share that it expects to be left after t periods."""

    model: str
    parameters: Mapping[str, float]
    log_likelihood: float
    share: Callable[[int], float]


class NotASurvival(ValueError):
    """Counts that no cohort can have. `period`: where; the message says what."""

    def __init__(self, message: str, period: int) -> None:
        super().__init__(message)
        self.period = period


def check(survivors: Sequence[float]) -> None:
    """Raises `NotASurvival` unless there are two counts or more, finite, above 0 at first, and never rising."""
    if len(survivors) < 2:
        raise NotASurvival("a cohort needs the survivors of two periods at least", len(survivors))
    for period, count in enumerate(survivors):
        if not np.isfinite(count) or count < 0:
            raise NotASurvival(f"period {period}: {count:g} survivors; must be a number, 0 or more", period)
        if period and count > survivors[period - 1]:
            before = survivors[period - 1]
            raise NotASurvival(f"period {period}: {count:g} survivors after {before:g}; nobody comes back", period)
    if survivors[0] <= 0:
        raise NotASurvival("period 0: a cohort of nobody", 0)


def fit_pt(survivors: Sequence[float], near: Fitted | None = None) -> Fitted:
    """L(t) = p^t: everyone stays each period with the same probability. p is the geometric mean of the periods'
    retention rates, so that the curve ends where the cohort does: what counts for a projection is the end. (The p of
    the greatest likelihood, stayed / could have left, weighs the first periods most, in which cohorts lose most.)
    `near` is not needed: there is nothing to search."""
    check(survivors)
    p = (survivors[-1] / survivors[0]) ** (1.0 / (len(survivors) - 1))
    return _fitted("pt", {"p": p}, survivors, lambda times: np.asarray(p**times))


def fit_sbg(survivors: Sequence[float], near: Fitted | None = None) -> Fitted:
    """Shifted beta-geometric: S(t) = B(a, b+t) / B(a, b); p differs between members as a beta distribution (Fader,
    Hardie, J. Interactive Marketing 21(1), 2007, doi 10.1002/dir.20074). With `near`, the search begins there alone and
    ends sooner: for a fit to almost the same counts."""
    check(survivors)
    alpha, beta = _searched(survivors, _sbg, (LOG_BOUND, LOG_BOUND), near)
    return _fitted("sbg", {"alpha": alpha, "beta": beta}, survivors, lambda times: _sbg(times, alpha, beta))


def fit_bdw(survivors: Sequence[float], near: Fitted | None = None) -> Fitted:
    """Beta-discrete-Weibull: S(t) = B(g, d + t^c) / B(g, d); besides, each member's own chance to leave changes with
    time (Fader, Hardie et al., J. Interactive Marketing, 2018, doi 10.1016/j.intmar.2018.01.002). `near`: as above."""
    check(survivors)
    gamma, delta, c = _searched(survivors, _bdw, (LOG_BOUND, LOG_BOUND, SHAPE_BOUND), near)
    parameters = {"gamma": gamma, "delta": delta, "c": c}
    return _fitted("bdw", parameters, survivors, lambda times: _bdw(times, gamma, delta, c))


Fit = Callable[..., Fitted]
"""Takes the survivors, and perhaps a fit to almost the same ones."""
MODELS: Final[Mapping[str, Fit]] = {"pt": fit_pt, "sbg": fit_sbg, "bdw": fit_bdw}


def held_out_error(fitted: Fitted, survivors: Sequence[float], periods: int) -> float | None:
    """The mean absolute percentage error of the share left, over the periods after the first `periods`; None without
    any. Periods in which nobody is left have no percentage and are left out."""
    later = [period for period in range(periods + 1, len(survivors)) if survivors[period] > 0]
    if not later:
        return None
    shares = [survivors[period] / survivors[0] for period in later]
    errors = [abs(fitted.share(period) / share - 1.0) for period, share in zip(later, shares, strict=True)]
    return 100.0 * float(np.mean(errors))


def rolling_errors(survivors: Sequence[float], ahead: int, first: int = 3) -> dict[str, float | None]:
    """Each model's mean error by rolling origin: fitted on the first `first` periods, on one more, and so on, and each
    time judged on at most `ahead` periods that follow. None where there are too few periods."""
    found: dict[str, float | None] = {}
    for name, fit in MODELS.items():
        told = [one for one in _errors(fit, survivors, ahead, first) if one is not None]
        found[name] = float(np.mean(told)) if told else None
    return found


def _errors(fit: Fit, survivors: Sequence[float], ahead: int, first: int) -> Iterator[float | None]:
    fitted = None
    for origin in range(first, len(survivors) - 1):
        fitted = fit(survivors[: origin + 1], fitted)
        yield held_out_error(fitted, survivors[: origin + ahead + 1], origin)


def chosen(survivors: Sequence[float], ahead: int = 4) -> Fitted:
    """The model with the least error by rolling origin, fitted on all periods; p^t where there are too few to judge."""
    errors = {name: error for name, error in rolling_errors(survivors, ahead).items() if error is not None}
    return MODELS[min(errors, key=lambda name: errors[name]) if errors else "pt"](survivors)


def _sbg(times: Floats, alpha: float, beta: float) -> Floats:
    return np.asarray(np.exp(betaln(alpha, beta + times) - betaln(alpha, beta)))


def _bdw(times: Floats, gamma: float, delta: float, c: float) -> Floats:
    return np.asarray(np.exp(betaln(gamma, delta + times**c) - betaln(gamma, delta)))


def _log_likelihood(survivors: Sequence[float], shares: Floats) -> float:
    """Of shares left after 0, 1, … periods: those who left in a period, and those who are left at the end."""
    left = -np.diff(survivors)
    chances = np.maximum(-np.diff(shares), LEAST_SHARE)
    staying = survivors[-1] * np.log(max(float(shares[-1]), LEAST_SHARE)) if survivors[-1] else 0.0
    return float(np.sum(left[left > 0] * np.log(chances[left > 0])) + staying)


def _searched(
    survivors: Sequence[float], shares: Callable[..., Floats], bounds: Sequence[float], near: Fitted | None
) -> list[float]:
    """The parameters of the greatest likelihood, searched on their logarithms, from several starts unless `near`."""
    times = np.arange(len(survivors), dtype=np.float64)
    starts = [[start, start, *([0.0] * (len(bounds) - 2))] for start in STARTS]
    if near is not None:
        starts = [[float(np.log(one)) for one in near.parameters.values()]]

    def loss(found: Floats) -> float:
        return -_log_likelihood(survivors, shares(times, *found)) / survivors[0]

    return searched(loss, starts, bounds, polished=near is None)[0]


def _fitted(
    model: str, parameters: Mapping[str, float], survivors: Sequence[float], shares: Callable[[Floats], Floats]
) -> Fitted:
    times = np.arange(len(survivors), dtype=np.float64)
    likelihood = _log_likelihood(survivors, shares(times))
    return Fitted(model, parameters, likelihood, lambda period: float(shares(np.array([float(period)]))[0]))
