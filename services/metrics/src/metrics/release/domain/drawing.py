"""What is drawn for a release, and what is made of the noisy numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from metrics.release.domain.loss import Accounting
from metrics.release.domain.mechanism import CONFIDENCE, Bounds, Mechanism, half_width
from metrics.release.domain.release import Drawn

SUPPRESSED_UNDER_MEMBERS: Final = 100
"""Figures about fewer members, by their noisy number, are not given. The noise protects each member; this keeps figures
back that would be mostly noise, and groups so small that to be in one says something."""
BOTH: Final = 1 - (1 - CONFIDENCE) / 2
"""The confidence of each of two noises that together are within theirs with probability `CONFIDENCE`, however they
depend on each other."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The exact numbers behind a release, within the bounds of each member: by name, each with its partitions ("" where
    there is one only). They leave this process only with noise. `public` are known to all."""

    numbers: Mapping[str, Sequence[tuple[str, int]]]
    public: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Exact numbers that each get a noise of their own. With `selection`, a partition is drawn only if that keeps
    it."""

    name: str
    mechanism: Mechanism
    numbers: tuple[tuple[str, int], ...]
    selection: Mechanism | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A released figure. `error` is the half width of its 95% interval. `mechanism` says how it was drawn; a figure
    that is made of drawn ones has a `formula` instead."""

    name: str
    partition: str
    value: float
    error: float
    mechanism: Mechanism | None = None
    formula: str = ""


def noise(accounting: Accounting, nano: int, bounds: Bounds) -> Mechanism:
    """The mechanism for whole numbers under an accounting."""
    return Mechanism("gaussian" if accounting == "zcdp" else "laplace", nano, bounds)


def drawn_of(wanted: Iterable[Wanted], values: Iterable[Sequence[int | None]]) -> tuple[Drawn, ...]:
    """The noisy numbers; partitions that the selection dropped (None) are left out."""
    return tuple(
        Drawn(one.name, partition, value, half_width(one.mechanism), one.mechanism)
        for one, noisy in zip(wanted, values, strict=True)
        for (partition, _), value in zip(one.numbers, noisy, strict=True)
        if value is not None
    )


def number(one: Drawn) -> Figure:
    """A noisy number as a figure."""
    return Figure(one.name, one.partition, float(one.value), float(one.half_width), one.mechanism)


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and how far off it may be, up or down."""

    value: int
    error: int = 0


def ratio(above: Interval, below: Interval) -> tuple[float, float] | None:
    """The quotient and how far off it may be; None where the denominator may be 0."""
    least, most = below.value - below.error, below.value + below.error
    if least <= 0:
        return None
    value = above.value / below.value
    ends = [(above.value + sign * above.error) / end for sign in (-1, 1) for end in (least, most)]
    return value, max(max(ends) - value, value - min(ends))
