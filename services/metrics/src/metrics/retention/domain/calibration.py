"""The probability that a member is active in the coming week, from earlier members in the same situation."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metrics.retention.domain.retention import HISTORY_WEEKS, Engagement

FORMULA_PROBABILITY = (
    "P = (a+1)/(n+2): n situations (member, week end) in the 26 weeks before the current one, of members registered by "
    "that week end, in the same bucket; a: those active in the following 7 days. Bucket: interactions in the 28 days "
    "before the situation's week (0, 1-3, 4-11, 12-39, 40 or more) and in its week (0, 1-2, 3-9, 10 or more)"
)
SITUATION_WEEKS = 26
WEEKS_READ = SITUATION_WEEKS + HISTORY_WEEKS + 1
"""Week 0 ends with the day of as_of; weeks 0 to `WEEKS_READ` - 1 are needed."""

HISTORY_EDGES = (1, 4, 12, 40)
CURRENT_EDGES = (1, 3, 10)
Bucket = tuple[int, int]
QUIET: Bucket = (0, 0)


@dataclass(frozen=True, slots=True)
class MemberWeeks:
    """One member's weeks, counted back from as_of. `interactions` holds only active weeks (0 interactions: only a
    purchase made the week active). `registered_week` is the week of the registration."""

    registered_week: int
    interactions: Mapping[int, int]

    def engagement(self, week: int) -> Engagement:
        """The member's engagement at the end of `week`."""
        history = sum(self.interactions.get(week + back, 0) for back in range(1, HISTORY_WEEKS + 1))
        return Engagement(history, self.interactions.get(week, 0))


@dataclass(slots=True)
class Tally:
    """Situations of one bucket, and how many of them were followed by an active week."""

    situations: int = 0
    followed: int = 0

    @property
    def probability(self) -> float:
        """Laplace's rule of succession: 1/2 without any situation."""
        return (self.followed + 1) / (self.situations + 2)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Tallies by bucket."""

    tallies: Mapping[Bucket, Tally] = field(default_factory=dict)

    def of(self, engagement: Engagement) -> Tally:
        """The tally of members in this situation."""
        return self.tallies.get(bucket(engagement), Tally())


def bucket(engagement: Engagement) -> Bucket:
    """The situation, coarse enough that several members share it."""
    return (
        bisect_right(HISTORY_EDGES, engagement.history_interactions),
        bisect_right(CURRENT_EDGES, engagement.current_interactions),
    )


def calibrate(active: Iterable[MemberWeeks], registered: Mapping[int, int]) -> Calibration:
    """Tally all situations. `active`: members with an active week among those read. `registered`: number of accounts
    registered in each week; earlier registrations count in the earliest week read."""
    tallies = {QUIET: Tally()}
    seen = [0] * (SITUATION_WEEKS + 1)
    for member in active:
        for week in range(1, min(SITUATION_WEEKS, member.registered_week) + 1):
            tally = tallies.setdefault(bucket(member.engagement(week)), Tally())
            tally.situations += 1
            tally.followed += week - 1 in member.interactions
            seen[week] += 1
    for week in range(1, SITUATION_WEEKS + 1):
        there = sum(count for since, count in registered.items() if since >= week)
        tallies[QUIET].situations += there - seen[week]
    return Calibration(tallies)
