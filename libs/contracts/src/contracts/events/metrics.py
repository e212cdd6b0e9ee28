"""Public events of metrics. Generated from schemas/avro by `make generate`."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict

from eventfold import PublicType


class ReleaseBudgetGranted(TypedDict):
    """How much of members' privacy may be lost by releases from an owner's data in one period."""

    owner: str
    """`platform`, or the id of a creator."""
    period: str
    """E.g. 2026-11."""
    accounting: str
    """`pure`: epsilons add up (basic composition); `zcdp`: rhos add up."""
    granted_nano: int
    """Billionths of epsilon or rho."""
    granted_delta_femto: int
    """10^-15 of delta."""
    open_percent: int
    """Of it, for callers who do not answer for the budget."""
    occurred_at: datetime


class ReleaseSource(TypedDict):
    """How far a projection had read a partition."""

    projection: str
    topic: str
    partition: int
    seq: int


class ReleaseMechanism(TypedDict):
    """How a number got its noise."""

    name: str
    """`laplace` or `gaussian`: rounded to whole numbers."""
    nano: int
    """Billionths of epsilon (laplace) or rho (gaussian)."""
    partitions_at_most: int
    """The most partitions that one member counts to."""
    per_partition_at_most: int
    """The most contributions of one member to a partition."""
    low: int
    """The least that a contribution counts."""
    high: int
    """The most that a contribution counts."""


class ReleasedNumber(TypedDict):
    """A noisy number."""

    name: str
    partition: str
    """Empty where there is one number only."""
    value: int
    half_width: int
    """Of the 95% interval of its noise."""
    mechanism: ReleaseMechanism


class PublicNumber(TypedDict):
    """A number without noise."""

    name: str
    value: int


class ReleaseMade(TypedDict):
    """Noisy numbers about members were released and paid for. A suppressed release has no numbers."""

    release_id: str
    owner: str
    """Whose budget paid: `platform`, or the id of a creator."""
    period: str
    question: str
    """Normalised JSON."""
    data_position: str
    """Digest of `sources`."""
    sources: list[ReleaseSource]
    """How far the projections had read."""
    accounting: str
    cost_nano: int
    cost_delta_femto: int
    open: bool
    """Paid for a caller who does not answer for the budget."""
    suppressed: bool
    """Too few members, by the noisy number."""
    selection_nano: int
    """Billionths of epsilon of the choice of partitions; 0 where none were chosen."""
    numbers: list[ReleasedNumber]
    public_numbers: list[PublicNumber]
    """Without noise: known to all."""
    occurred_at: datetime


RELEASE_BUDGET_GRANTED: Final = PublicType("lyceum.metrics.release.budget_granted.v1", ReleaseBudgetGranted)
RELEASE_MADE: Final = PublicType("lyceum.metrics.release.made.v1", ReleaseMade)

TOPICS: Final = ("lyceum.metrics.release",)
"""What metrics emits on, without prefix."""
