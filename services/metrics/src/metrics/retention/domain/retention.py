"""Retention: p^t from day-to-day survival, and the weighted retention score."""

from __future__ import annotations

from dataclasses import dataclass

FORMULA_RETENTION = (
    "L(t) = p^t; p = survived/exposed, the maximum-likelihood estimate of day-to-day survival. active(member, d): at "
    "least one counted interaction (view, like, comment, share, rate, complete) or paid order, free ones included, on "
    "calendar day d; exposed: pairs (member, d) with active(member, d) and d+1 not after the day of as_of; survived: "
    "those with active(member, d+1) too"
)
FORMULA_SCORE = (
    "L = w_history*history + w_current*current, a score and no probability; current: counted interactions in the 7 "
    "days that end with the day of as_of; history: counted interactions in the 28 days before them, divided by 4"
)
HISTORY_WEEKS = 4
DAYS_PER_WEEK = 7
W_HISTORY, W_CURRENT = 0.8, 0.2


@dataclass(frozen=True, slots=True)
class Survival:
    """Active member-days whose next day has been observed, and how many of them were followed by an active day."""

    survived: int
    exposed: int

    @property
    def p(self) -> float:
        """survived/exposed; 0 when nothing is exposed."""
        return self.survived / self.exposed if self.exposed else 0.0

    def retained(self, t_days: int) -> float:
        """L(t) = p^t: the probability to be active on each of the next `t_days` days."""
        return self.p**t_days


@dataclass(frozen=True, slots=True)
class Engagement:
    """A member's counted interactions in the current week and in the `HISTORY_WEEKS` weeks before it."""

    history_interactions: int
    current_interactions: int

    @property
    def history(self) -> float:
        """Interactions per week before the current one."""
        return self.history_interactions / HISTORY_WEEKS

    @property
    def current(self) -> float:
        """Interactions in the current week."""
        return float(self.current_interactions)

    def score(self, w_history: float = W_HISTORY, w_current: float = W_CURRENT) -> float:
        """w_history*history + w_current*current."""
        return w_history * self.history + w_current * self.current
