"""What those who have bought will buy: BG/NBD for how often, gamma-gamma for how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np

from metrics.fitting.buying import BgNbd, GammaGamma, Histories, fit_bgnbd, fit_gamma_gamma

FORMULA_BUYING = (
    "of members with a paid order above 0, days on which they bought counted once: BG/NBD by maximum likelihood of "
    "frequency, recency and time watched in weeks gives the expected repeat purchases, gamma-gamma of the mean spend "
    "per purchase day what each is worth; naive: mean spend times frequency, as if nobody left; value: what was spent"
    " and is expected, per buyer; held out: the same from what lay before the last weeks, against what came in them"
)
DAYS_PER_WEEK: Final = 7.0
LEAST_REPEATERS: Final = 20
"""Of fewer members with a repeat purchase nothing is fitted."""


class Purchase(NamedTuple):
    """What a member spent on one day, in minor units."""

    member_id: str
    day: date
    spent_minor: int


@dataclass(frozen=True, slots=True)
class Buyers:
    """Histories up to the end of `last_day`. `spent` is the mean per purchase day, `total_minor` is of all of them;
    `purchases` counts the first one, too."""

    members: Sequence[str]
    histories: Histories
    spent: Any
    purchases: Any
    total_minor: int

    @property
    def repeaters(self) -> int:
        """Members with a repeat purchase."""
        return int(np.count_nonzero(self.histories.frequency))


def buyers(purchases: Sequence[Purchase], last_day: date) -> Buyers:
    """Histories of all who bought by the end of `last_day`."""
    by_member: dict[str, list[Purchase]] = {}
    for one in purchases:
        if one.day <= last_day:
            by_member.setdefault(one.member_id, []).append(one)
    days = [sorted(one.day for one in ones) for ones in by_member.values()]
    spent = [sum(one.spent_minor for one in ones) for ones in by_member.values()]
    counts = np.array([len(one) for one in days], dtype=np.float64)
    histories = Histories(
        frequency=counts - 1.0,
        recency=np.array([(one[-1] - one[0]).days / DAYS_PER_WEEK for one in days]),
        watched=np.array([((last_day - one[0]).days + 1) / DAYS_PER_WEEK for one in days]),
    )
    return Buyers(list(by_member), histories, np.array(spent) / np.maximum(counts, 1.0), counts, sum(spent))


@dataclass(frozen=True, slots=True)
class Models:
    """Both models, fitted."""

    buying: BgNbd
    spending: GammaGamma

    @property
    def parameters(self) -> Mapping[str, float]:
        """By name."""
        buying = {name: getattr(self.buying, name) for name in ("r", "alpha", "a", "b")}
        return buying | {name: getattr(self.spending, name) for name in ("p", "q", "gamma")}


@dataclass(frozen=True, slots=True)
class Expected:
    """What members are expected to buy in some weeks; naive: as if nobody left."""

    purchases: float
    revenue_minor: float
    naive_purchases: float
    naive_revenue_minor: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What was expected of the last weeks, and what came."""

    expected: Expected
    purchases: int
    revenue_minor: int


@dataclass(frozen=True, slots=True)
class BuyingForecast:
    """`models` and `expected` are None with too few repeat purchases, `held_out` also with too few before."""

    buyers: int
    spent_minor: int
    models: Models | None = None
    expected: Expected | None = None
    held_out: HeldOut | None = None

    @property
    def value_per_buyer_minor(self) -> float:
        """Spent and expected; 0 without buyers."""
        expected = self.expected.revenue_minor if self.expected else 0.0
        return (self.spent_minor + expected) / self.buyers if self.buyers else 0.0


def forecast(purchases: Sequence[Purchase], last_day: date, before: date, weeks: int) -> BuyingForecast:
    """Of the `weeks` weeks after `last_day`, and of as many after `before`, which are held out."""
    now = buyers(purchases, last_day)
    models = fitted(now)
    if models is None:
        return BuyingForecast(len(now.members), now.total_minor)
    expected = _expected(models, now, weeks)
    return BuyingForecast(len(now.members), now.total_minor, models, expected, _held_out(purchases, before, weeks))


def fitted(found: Buyers) -> Models | None:
    """Both models; None with too few repeat purchases."""
    if found.repeaters < LEAST_REPEATERS:
        return None
    again = found.histories.frequency > 0
    return Models(fit_bgnbd(found.histories), fit_gamma_gamma(found.spent[again], found.purchases[again]))


def _expected(models: Models, found: Buyers, weeks: int) -> Expected:
    expected = models.buying.expected(found.histories, float(weeks))
    worth = _worth(models.spending, found)
    naive = found.histories.frequency / found.histories.watched * weeks
    return Expected(
        purchases=float(expected.sum()),
        revenue_minor=float((expected * worth).sum()),
        naive_purchases=float(naive.sum()),
        naive_revenue_minor=float((naive * found.spent).sum()),
    )


def _worth(spending: GammaGamma, found: Buyers) -> Any:
    """What a purchase of each member is worth; the member's own mean where the model's tail is too heavy for one."""
    defined = spending.p * found.purchases + spending.q > 1.0
    return np.where(defined, spending.mean(found.spent, found.purchases), found.spent)


def _held_out(purchases: Sequence[Purchase], before: date, weeks: int) -> HeldOut | None:
    then = buyers(purchases, before)
    models = fitted(then)
    if models is None:
        return None
    known = set(then.members)
    came = [one for one in purchases if one.day > before and one.member_id in known]
    return HeldOut(_expected(models, then, weeks), len(came), sum(one.spent_minor for one in came))
