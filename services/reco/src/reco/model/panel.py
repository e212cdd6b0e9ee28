"""What the ranker sees: candidates from several sources, and for each its scores in comparable form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reco.model.parts.base import Profile
from reco.model.rows import Floats32, Ints

Bools = NDArray[np.bool_]
MAX_Z = 10.0
SMALLEST_SPREAD = 1e-4
"""A column whose deviation is smaller than this share of its mean is constant but for rounding."""
CONTEXT = ("context.length", "context.gap", "context.pause", "context.members", "context.newest_members")
ITEM_FEATURES = ("item.members", "item.age", "item.quiet", "item.members_beside")


@dataclass(frozen=True)
class View:
    """All that could be recommended to one member at one moment.

    `eligible`: their numbers, ascending. `scores`: columns x all items; of eligible ones finite, 0 where a column is
    absent, and -inf of all others. `means`, `spreads`: of each column over the eligible ones.
    """

    profile: Profile
    eligible: Ints
    scores: Floats32
    means: Floats32
    spreads: Floats32

    def standard(self, items: Ints) -> Floats32:
        """Columns x eligible items: mean 0 and deviation 1 over all eligible items, bounded; 0 where constant."""
        found = (self.scores[:, items] - self.means[:, None]) / self.spreads[:, None]
        return np.clip(found, -MAX_Z, MAX_Z, out=found)

    def only(self, items: Ints) -> View:
        """The same with these items only (ascending); columns are compared as among all."""
        scores = np.full_like(self.scores, -np.inf)
        scores[:, items] = self.scores[:, items]
        return replace(self, eligible=items, scores=scores)


@dataclass(frozen=True)
class Panel:
    """The candidates of a view (item numbers, ascending), their standardised scores (columns x candidates), and what
    the ranker reads (candidates x features, all finite)."""

    items: Ints
    scores: Floats32
    features: Floats32

    def find(self, item: int) -> int | None:
        """Where an item stands among the candidates; None if it is none."""
        at = int(np.searchsorted(self.items, item))
        return at if at < len(self.items) and self.items[at] == item else None


def view_of(profile: Profile, columns: tuple[str, ...], scores: Mapping[str, Floats32], open_: Bools) -> View:
    """The scores with what is needed to compare columns. `open_`: for each item whether it is eligible."""
    closed, count = np.flatnonzero(~open_), len(open_)
    found = np.zeros((len(columns), count), dtype=np.float32)
    for at, name in enumerate(columns):
        if name in scores:
            found[at] = scores[name]
    found[:, closed] = 0.0
    if not np.isfinite(found.sum()):
        np.nan_to_num(found, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    means, spreads = _spread(found, max(count - len(closed), 1))
    found[:, closed] = -np.inf
    return View(profile, np.flatnonzero(open_), found, means, spreads)


def _spread(scores: Floats32, count: int) -> tuple[Floats32, Floats32]:
    """Mean and deviation of each row, of which `count` places count and all others are 0; inf where constant."""
    means = scores.sum(axis=1) / count
    squares = np.einsum("ij,ij->i", scores, scores) / count
    spreads = np.sqrt(np.maximum(squares - means * means, 0.0))
    constant = spreads <= SMALLEST_SPREAD * np.maximum(np.abs(means), SMALLEST_SPREAD)
    return means, np.where(constant, np.inf, spreads).astype(np.float32)


def chosen(view: View, sources: Ints, per_source: int) -> Ints:
    """The best `per_source` items by each source that has something to say, or all if there are few. Ascending.

    Of those that a source holds equal at its last place it names none. If all sources together name fewer than
    `per_source`, those that came last fill up."""
    size = len(view.eligible)
    if size <= 4 * per_source:
        return view.eligible
    keep: Bools = np.zeros(view.scores.shape[1], dtype=np.bool_)
    for source in sources[np.isfinite(view.spreads[sources])]:
        scores = view.scores[source]
        keep |= scores > _beyond(scores, per_source)
    named = np.flatnonzero(keep)
    if len(named) < per_source:
        keep[view.eligible[~keep[view.eligible]][len(named) - per_source :]] = True
        named = np.flatnonzero(keep)
    return named


def _beyond(scores: Floats32, count: int) -> float:
    """What the best `count` are above. Many columns say something, above 0, of few items only: these are looked at
    alone, which is much faster."""
    said = scores[scores > 0]
    if 0 < len(said) <= count:
        return 0.0
    among = said if len(said) else scores
    return float(np.partition(among, -count - 1)[-count - 1])


def feature_names(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the features in their order."""
    return (*columns, *(f"rank.{name}" for name in columns), *ITEM_FEATURES, *CONTEXT)


def features_of(scores: Floats32, item_features: Floats32, context: Floats32) -> Floats32:
    """Scores, ranks, item features and context side by side, all of the order of 1: candidates x features."""
    width = scores.shape[1]
    spread = np.broadcast_to(context[:, None], (len(CONTEXT), width))
    together = np.concatenate([scores / 2.0, ranks_of(scores), item_features, spread])
    return np.ascontiguousarray(together.T, dtype=np.float32)


def ranks_of(scores: Floats32) -> Floats32:
    """1 for the best of each row, falling with the logarithm of the rank."""
    order = np.argsort(-scores, axis=1)
    ranks = np.empty(scores.shape, dtype=np.float32)
    values = (1.0 - np.log2(np.arange(scores.shape[1]) + 1.0) / 5.0).astype(np.float32)
    np.put_along_axis(ranks, order, np.broadcast_to(values, scores.shape), axis=1)
    return ranks


def seconds_log(span_us: NDArray[np.number] | float) -> Floats32:
    """log2 of a span in seconds, scaled to the order of 1."""
    return np.asarray(np.log2(1.0 + np.maximum(span_us, 0.0) / 1e6) / 10.0, dtype=np.float32)


def context_of(profile: Profile, members: Floats32) -> Floats32:
    """Length of the history, time since the newest step, median time between the newest ten, and how many members
    (`members`, for the newest items, as it is for candidates) the profile's items have, as logarithms."""
    gap = float(profile.now_us - profile.times_us[0]) if len(profile.times_us) else 0.0
    pauses = -np.diff(profile.times_us[:10])
    pause = float(np.median(pauses)) if len(pauses) else 0.0
    spans = seconds_log(np.array([gap, pause]))
    held = (float(members.mean()), float(members[0])) if len(members) else (0.0, 0.0)
    return np.array([np.log1p(profile.length) / 4.0, *spans, *held], dtype=np.float32)
