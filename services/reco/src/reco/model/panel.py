"""What the ranker sees: candidates from several sources, and for each its scores in comparable form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reco.model.parts.base import Profile
from reco.model.rows import Floats32, Ints

MAX_Z = 10.0
CONTEXT = ("context.length", "context.gap", "context.pause", "context.members", "context.newest_members")
ITEM_FEATURES = ("item.members", "item.age", "item.quiet", "item.members_beside")


@dataclass(frozen=True)
class View:
    """All that could be recommended to one member at one moment: `standard` is columns x eligible items."""

    profile: Profile
    eligible: Ints
    standard: Floats32


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


def standardised(columns: tuple[str, ...], scores: Mapping[str, Floats32], eligible: Ints) -> Floats32:
    """Columns x eligible: mean 0, deviation 1; 0 where a column is absent, constant or not finite."""
    found = np.zeros((len(columns), len(eligible)), dtype=np.float32)
    if not len(eligible):
        return found
    for at, name in enumerate(columns):
        if name in scores:
            found[at] = scores[name][eligible]
    np.nan_to_num(found, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    found -= found.mean(axis=1, keepdims=True)
    spread = found.std(axis=1, keepdims=True)
    found /= np.where(spread > 1e-6, spread, np.inf)
    return np.clip(found, -MAX_Z, MAX_Z, out=found)


def chosen(standard: Floats32, per_source: int) -> Ints:
    """Positions of the best `per_source` by each column, or of all if there are few. Ascending."""
    size = standard.shape[1]
    if size <= 4 * per_source:
        return np.arange(size)
    keep: NDArray[np.bool_] = np.zeros(size, dtype=np.bool_)
    for scores in standard:
        if scores.any():
            keep[np.argpartition(-scores, per_source)[:per_source]] = True
    return np.flatnonzero(keep)


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
