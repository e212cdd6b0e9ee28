"""What the model's exact parts must hold, computed from the rows at once, in the plainest way. Pure.

Nothing of the model's own updates is used: only its rules, which are the order of a history, the ridge and the
half-lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reco.model.ids import tie
from reco.model.parts.gram import ridge_of
from reco.model.parts.popularity import HALF_LIVES_DAYS
from reco.model.rows import DAY_US, Floats, Floats32, Pair

History = list[tuple[int, int]]
"""Items by number with the times of their first signals in microseconds, oldest first."""


@dataclass(frozen=True)
class Refit:
    """`counts` and `inverse`: items x items, as in `Gram` and `Inverse`; None where they are not asked for.
    `popularity`: half-lives x items, as in `Popularity`."""

    counts: NDArray[np.int32] | None
    inverse: Floats | None
    popularity: Floats32


def refitted(pairs: Iterable[Pair], numbers: Mapping[str, int], max_history: int, now_us: int, *, dense: bool) -> Refit:
    """All parts anew. `numbers`: the items that count, each with its number, from 0 on; rows of others are left out.

    Takes time in proportion to the squares of the histories, and with `dense` to items^3, and as many bytes as four
    matrices of items x items doubles.
    """
    found = [*_histories(pairs, numbers, max_history)]
    popularity = _popularity(found, len(numbers), now_us)
    if not dense:
        return Refit(None, None, popularity)
    counts = _counts(found, len(numbers))
    return Refit(counts, inverse_of(counts), popularity)


def inverse_of(counts: NDArray[np.int32]) -> Floats:
    """(G + lambda I)^-1."""
    matrix = counts.astype(np.float64)
    matrix[np.diag_indices_from(matrix)] += ridge_of(counts.diagonal())
    return np.asarray(np.linalg.inv(matrix))


def _histories(pairs: Iterable[Pair], numbers: Mapping[str, int], max_history: int) -> Iterator[History]:
    """The newest `max_history` of what each member took to."""
    rows: dict[str, list[tuple[int, int, int]]] = {}
    for pair in pairs:
        item = numbers.get(pair.content_id)
        if item is not None and pair.strength > 0:
            rows.setdefault(pair.member_id, []).append((pair.first_us, tie(pair.content_id), item))
    for mine in rows.values():
        yield [(item, time) for time, _, item in sorted(mine)[-max_history:]]


def _counts(histories: Iterable[History], size: int) -> NDArray[np.int32]:
    counts = np.zeros((size, size), dtype=np.int32)
    for history in histories:
        items = np.array([item for item, _ in history], dtype=np.int64)
        counts[np.ix_(items, items)] += 1
    return counts


def _popularity(histories: Iterable[History], size: int, now_us: int) -> Floats32:
    half_lives_us = np.array(HALF_LIVES_DAYS) * DAY_US
    sums = np.zeros((len(HALF_LIVES_DAYS), size))
    for history in histories:
        items = np.array([item for item, _ in history], dtype=np.int64)
        ages = now_us - np.array([time for _, time in history], dtype=np.float64)
        sums[:, items] += np.exp2(-ages / half_lives_us[:, None])
    return np.asarray(np.log1p(sums), dtype=np.float32)
