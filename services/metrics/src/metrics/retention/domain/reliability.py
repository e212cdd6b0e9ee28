"""How well the probability of an active week held: it is computed as of past weeks, and compared with what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from metrics.retention.domain.calibration import QUIET, WEEKS_READ, MemberWeeks, Tally, bucket, calibrate

FORMULA_RELIABILITY = (
    "for each of the last week ends that are followed by a whole week: the probability of every member registered by "
    "then, estimated from the situations before it alone (rolling origin), against whether the member was active in "
    "the 7 days after it. Predicted: mean probability in the bin; observed: share that was active. Brier: mean "
    "squared difference; of the base rate: if everybody were given the share of all that was active"
)
BINS: Final = 10
MAX_ORIGINS: Final = 26


def weeks_read(origins: int) -> int:
    """How many weeks `judged` needs, week 0 being the one after the last origin."""
    return WEEKS_READ + origins


@dataclass(frozen=True, slots=True)
class Situation:
    """So many members with one probability, of whom `followed` were active in the week after."""

    probability: float
    members: int
    followed: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Situations whose probability lay in one tenth."""

    at: int
    situations: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """The bins that have situations, and the Brier scores."""

    bins: Sequence[Bin]
    brier: float
    brier_of_base_rate: float
    situations: int


def judged(active: Sequence[MemberWeeks], registered: Mapping[int, int], origins: int) -> Reliability:
    """Judge week ends 1 to `origins`. `active` and `registered` are as for `calibrate`, over `weeks_read(origins)`
    weeks."""
    found = [one for origin in range(1, origins + 1) for one in _situations(active, registered, origin)]
    members = sum(one.members for one in found)
    if not members:
        return Reliability([], 0.0, 0.0, 0)
    rate = sum(one.followed for one in found) / members
    return Reliability(
        bins=_bins(found),
        brier=sum(_squared(one, one.probability) for one in found) / members,
        brier_of_base_rate=sum(_squared(one, rate) for one in found) / members,
        situations=members,
    )


def _squared(one: Situation, probability: float) -> float:
    return one.followed * (1 - probability) ** 2 + (one.members - one.followed) * probability**2


def _bins(found: Iterable[Situation]) -> list[Bin]:
    by_bin: dict[int, list[Situation]] = {}
    for one in found:
        by_bin.setdefault(min(int(one.probability * BINS), BINS - 1), []).append(one)
    return [_bin(at, ones) for at, ones in sorted(by_bin.items())]


def _bin(at: int, ones: Sequence[Situation]) -> Bin:
    members = sum(one.members for one in ones)
    predicted = sum(one.probability * one.members for one in ones) / members
    return Bin(at, members, predicted, sum(one.followed for one in ones) / members)


def _situations(active: Sequence[MemberWeeks], registered: Mapping[int, int], origin: int) -> Iterator[Situation]:
    """The members at week end `origin`, grouped by their situation then."""
    seen_then = [_as_of(one, origin) for one in active if one.registered_week >= origin]
    calibration = calibrate(seen_then, {week - origin: count for week, count in registered.items() if week >= origin})
    members, followed = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for one in active:
        if one.registered_week >= origin:
            situation = bucket(one.engagement(origin))
            members[situation] += 1
            followed[situation] += origin - 1 in one.interactions
    members[QUIET] += sum(count for week, count in registered.items() if week >= origin) - len(seen_then)
    for situation, count in members.items():
        if count:
            tally = calibration.tallies.get(situation, Tally())
            yield Situation(tally.probability, count, followed[situation])


def _as_of(one: MemberWeeks, origin: int) -> MemberWeeks:
    past = {week - origin: count for week, count in one.interactions.items() if week >= origin}
    return MemberWeeks(one.registered_week - origin, past)
