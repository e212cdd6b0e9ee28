"""How often members buy who may leave without saying so (BG/NBD), and how much they spend (gamma-gamma)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import betaln, gammaln, hyp2f1

from metrics.fitting.searching import Floats, searched

LOG_BOUND: Final = 12.0
STARTS: Final = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Histories:
    """One element a member: repeat purchases, time of the last one, and time watched, both since the first purchase and
    in one unit."""

    frequency: Floats
    recency: Floats
    watched: Floats


@dataclass(frozen=True, slots=True)
class BgNbd:
    """Parameters of BG/NBD: buying follows a gamma (r, alpha), leaving after a purchase a beta (a, b) distribution."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def expected(self, one: Histories, ahead: float) -> Floats:
        """Purchases that each member is expected to make in the next `ahead` units of time, given the history (Fader,
        Hardie, Lee, Marketing Science 24(2), 2005, equation 10)."""
        x, t_x, watched = one.frequency, one.recency, one.watched
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        z = ahead / (alpha + watched + ahead)
        more = 1.0 - ((alpha + watched) / (alpha + watched + ahead)) ** (r + x) * hyp2f1(
            r + x, b + x, a + b + x - 1.0, z
        )
        gone = np.where(x > 0, a / (b + x - 1.0) * ((alpha + watched) / (alpha + t_x)) ** (r + x), 0.0)
        return np.asarray((a + b + x - 1.0) / (a - 1.0) * more / (1.0 + gone))

    def expected_of_new(self, time: float | Floats) -> Floats:
        """Repeat purchases that a member makes on average in `time` units after the first (equation 9)."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        time = np.asarray(time, dtype=np.float64)
        z = time / (alpha + time)
        left = (alpha / (alpha + time)) ** r * hyp2f1(r, b, a + b - 1.0, z)
        return np.asarray((a + b - 1.0) / (a - 1.0) * (1.0 - left))


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Parameters of the gamma-gamma model: what a member spends on a purchase varies around the member's own mean."""

    p: float
    q: float
    gamma: float
    log_likelihood: float

    def mean(self, spent: Floats, purchases: Floats) -> Floats:
        """Each member's own mean, given the mean of what was spent and the number of purchases."""
        p, q, gamma = self.p, self.q, self.gamma
        return np.asarray(p * (gamma + purchases * spent) / (p * purchases + q - 1.0))


class NotAHistory(ValueError):
    """A member's numbers that no history can have. `row`: which one, from 0; the message says what."""

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


def check(one: Histories) -> None:
    """Raises `NotAHistory` for the first member whose numbers cannot be."""
    if not len(one.frequency):
        raise NotAHistory("there are no members", 0)
    wrong = {
        "frequency must be a whole number, 0 or more": ~(one.frequency >= 0) | (one.frequency % 1 != 0),
        "recency must be 0 or more, and 0 without repeat purchases": ~(one.recency >= 0)
        | ((one.frequency == 0) & (one.recency > 0)),
        "T must be finite, above 0 and not below recency": ~(np.isfinite(one.watched) & (one.watched > 0))
        | ~(one.watched >= one.recency),
    }
    for message, rows in wrong.items():
        if rows.any():
            raise NotAHistory(message, int(np.argmax(rows)))


def fit_bgnbd(one: Histories) -> BgNbd:
    """By maximum likelihood. Raises `NotAHistory`."""
    check(one)
    (frequency, recency, watched), times = _alike(one.frequency, one.recency, one.watched)
    histories, members = Histories(frequency, recency, watched), len(one.frequency)
    (r, alpha, a, b), least = searched(lambda found: -_bgnbd(histories, times, *found) / members, *_from(4))
    return BgNbd(r, alpha, a, b, -least * members)


def fit_gamma_gamma(spent: Floats, purchases: Floats) -> GammaGamma:
    """By maximum likelihood, of members with a mean and a number of purchases above 0."""
    bought = (purchases > 0) & (spent > 0)
    if not bought.any():
        raise NotAHistory("nobody has spent anything", 0)
    members = int(np.count_nonzero(bought))
    (spent, purchases), times = _alike(spent[bought], purchases[bought])
    (p, q, gamma), least = searched(lambda found: -_gamma_gamma(spent, purchases, times, *found) / members, *_from(3))
    return GammaGamma(p, q, gamma, -least * members)


def _alike(*columns: Floats) -> tuple[Floats, Floats]:
    """Members with the same numbers, once, and how many they are: a likelihood is computed for each of them once."""
    found, times = np.unique(np.stack(columns), axis=1, return_counts=True)
    return found, times.astype(np.float64)


def _bgnbd(one: Histories, times: Floats, r: float, alpha: float, a: float, b: float) -> float:
    """Fader, Hardie, Lee 2005, equation 6, in the form of their note of 2019 for numerical stability; each history
    counts so many `times`."""
    x = one.frequency
    first = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    second = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    alive = -(r + x) * np.log(alpha + one.watched)
    gone = np.log(a) - np.log(np.maximum(b + x - 1.0, 1e-300)) - (r + x) * np.log(alpha + one.recency)
    either = np.where(x > 0, np.logaddexp(alive, gone), alive)
    return float(times @ (first + second + either))


def _gamma_gamma(spent: Floats, purchases: Floats, times: Floats, p: float, q: float, gamma: float) -> float:
    """Fader, Hardie, Lee, J. Marketing Research 42(4), 2005; spending is independent of how often a member buys."""
    total, shape = purchases * spent, p * purchases
    each = q * np.log(gamma) + shape * np.log(total) - (shape + q) * np.log(gamma + total)
    return float(times @ (each - np.log(spent) - betaln(shape, q)))


def _from(parameters: int) -> tuple[list[list[float]], list[float]]:
    """Where the search for so many parameters begins, and its bounds."""
    return [[start] * parameters for start in STARTS], [LOG_BOUND] * parameters
