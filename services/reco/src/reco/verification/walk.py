"""Leads a model to given rows by detours: any order, older versions, repetition, rows and members forgotten. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from reco.model.model import Model
from reco.model.rows import DAY_US, Pair

STALE_SHARE: Final = 0.1
"""Of all rows, so many are told in another version first."""
REPEATED_SHARE: Final = 0.05
MAX_LATE: Final = 2_000
"""So many rows come in small batches, with the inverse brought up to date after each."""
LATE_BATCH: Final = 64
MAX_FORGOTTEN_MEMBERS, MAX_DROPPED_ROWS = 50, 100
BATCH: Final = 5_000
Shows = Callable[[str, int], Callable[[int], None]]
"""Given what is done and how much of it there is, hears how much more is done."""


def silent(what: str, total: int) -> Callable[[int], None]:
    """Shows no progress."""
    return lambda count: None


def walked(model: Model, pairs: Sequence[Pair], seed: np.random.Generator, shows: Shows = silent) -> None:
    """Tell `model` the rows, so that at the end it holds them as they are.

    Most rows come in large batches, after which the inverse is computed once. What is late, or was forgotten or
    dropped, comes in small ones, so that the inverse is brought up to date many times, as in a running server.
    """
    order = [pairs[at] for at in seed.permutation(len(pairs))]
    late, early = order[: min(MAX_LATE, len(order) // 2)], order[min(MAX_LATE, len(order) // 2) :]
    stale = [_older(pair, seed) for pair in order if seed.random() < STALE_SHARE]
    twice = [pair for pair in early if seed.random() < REPEATED_SHARE]
    _tell(model, [*stale, *early, *twice], BATCH, shows)
    missing = [*late, *_forgotten(model, early, seed), *_dropped(model, early, seed)]
    small = max(1, min(LATE_BATCH, len(model.standing.items) // 8))  # of larger ones it would be computed anew
    _tell(model, [missing[at] for at in seed.permutation(len(missing))], small, shows)


def _tell(model: Model, rows: Sequence[Pair], size: int, shows: Shows) -> None:
    told = shows(f"rows told by {size:,}", len(rows))
    for low in range(0, len(rows), size):
        model.take(rows[low : low + size])
        if size <= LATE_BATCH:
            model.settle()
        told(len(rows[low : low + size]))
    model.settle()


def _older(pair: Pair, seed: np.random.Generator) -> Pair:
    """A row as it may have been: its strength of the other sign, or begun earlier."""
    if seed.random() < 0.5:
        return pair._replace(strength=-pair.strength)
    return pair._replace(first_us=max(0, pair.first_us - int(seed.integers(DAY_US))))


def _forgotten(model: Model, told: Sequence[Pair], seed: np.random.Generator) -> list[Pair]:
    """Forgets some members; all rows that must be told again."""
    members = sorted({pair.member_id for pair in told})
    gone = set(seed.permutation(members)[: min(MAX_FORGOTTEN_MEMBERS, len(members) // 2)].tolist())
    for member in sorted(gone):
        model.forget(member)
    return [pair for pair in told if pair.member_id in gone]


def _dropped(model: Model, told: Sequence[Pair], seed: np.random.Generator) -> list[Pair]:
    gone = [told[at] for at in seed.permutation(len(told))[:MAX_DROPPED_ROWS]]
    for pair in gone:
        model.drop(pair.member_id, pair.content_id)
    return gone
