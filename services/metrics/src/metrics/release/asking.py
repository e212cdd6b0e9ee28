"""From what a question wants to what the noise process is asked for."""

from __future__ import annotations

from collections.abc import Iterable

from metrics.release.domain.drawing import Wanted
from metrics.release.noise.frames import Numbers


def numbers_of(wanted: Iterable[Wanted]) -> list[Numbers]:
    """The requests, with each mechanism's own epsilon and sensitivity."""
    return [_numbers(one) for one in wanted]


def _numbers(one: Wanted) -> Numbers:
    mechanism, selection = one.mechanism, one.selection
    is_gaussian = mechanism.name == "gaussian"
    return Numbers(
        noise="gaussian" if is_gaussian else "laplace",
        values=tuple(value for _, value in one.numbers),
        epsilon=0.0 if is_gaussian else mechanism.amount,
        sensitivity=0 if is_gaussian else mechanism.bounds.l1,
        std=mechanism.scale if is_gaussian else 0.0,
        select_epsilon=selection.amount if selection else 0.0,
        select_delta=selection.delta if selection else 0.0,
        select_partitions=selection.bounds.partitions if selection else 1,
    )
