"""Features of contents and members, as sparse tables. Pure.

A content has `tag:…` (all its tags share the weight 1), `category:…`, `creator:…` and `kind:…` (1 each). A member has
`tag:…` (they share the weight 1): how often a tag is among the contents that the member took to, and once more for each
chosen interest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from reco.model.rows import Floats32, Ints, Item
from reco.training.facts import MAX_TAGS, Facts

MAX_FEATURES = 100_000
"""The most frequent so many of contents, and of members, are kept."""
LEAST_OWNERS = 2
"""A feature of one content alone says nothing that the content's own vector does not."""

Weights = Mapping[str, float]


@dataclass(frozen=True)
class Features:
    """A sparse table: `weights[n]` stands in row `rows[n]` and in the column of the feature `names[columns[n]]`."""

    names: tuple[str, ...]
    rows: Ints
    columns: Ints
    weights: Floats32


def of_item(item: Item) -> Weights:
    """The features of one content with their weights."""
    tags = tuple(dict.fromkeys(item.tags))[:MAX_TAGS]
    single = {"category": item.category, "creator": item.creator_id, "kind": item.kind}
    weights = {f"tag:{tag}": 1.0 / len(tags) for tag in tags}
    return weights | {f"{what}:{value}": 1.0 for what, value in single.items() if value}


def of_interests(tags: Iterable[str]) -> Weights:
    """The features of a member of whom no more is known than the tags that one chose."""
    return _shared(Counter(dict.fromkeys(tags, 1)))


def of_items(items: Sequence[Item]) -> Features:
    """The features of all contents; row n is content n."""
    return _table([of_item(item) for item in items])


def of_members(facts: Facts) -> Features:
    """The features of all members; row n is member n."""
    found: list[Weights] = [{}] * facts.member_count
    for member, tags in facts.interests.items():
        found[member] = of_interests(tags)
    for member, counts in _liked(facts):
        counts.update(dict.fromkeys(facts.interests.get(member, ()), 1))
        found[member] = _shared(counts)
    return _table(found)


def _liked(facts: Facts) -> Iterator[tuple[int, Counter[str]]]:
    """Each member with a positive, and how often each tag is among the positives."""
    liked = np.flatnonzero(facts.strengths > 0)
    pairs = zip(facts.pair_members[liked].tolist(), facts.pair_items[liked].tolist(), strict=True)
    for member, group in groupby(pairs, key=lambda pair: pair[0]):
        yield member, Counter(tag for _, item in group for tag in facts.items[item].tags[:MAX_TAGS])


def _shared(counts: Counter[str]) -> Weights:
    kept = counts.most_common(MAX_TAGS)
    total = sum(count for _, count in kept)
    return {f"tag:{tag}": count / total for tag, count in kept}


def _table(weights: Sequence[Weights]) -> Features:
    owners = Counter(name for one in weights for name in one)
    frequent = sorted((name for name, count in owners.items() if count >= LEAST_OWNERS), key=lambda n: (-owners[n], n))
    names = tuple(sorted(frequent[:MAX_FEATURES]))
    column_of = {name: column for column, name in enumerate(names)}
    cells = [
        (row, column_of[name], weight)
        for row, one in enumerate(weights)
        for name, weight in one.items()
        if name in column_of
    ]
    rows, columns, values = zip(*cells, strict=True) if cells else ((), (), ())
    return Features(
        names,
        np.array(rows, dtype=np.int64),
        np.array(columns, dtype=np.int64),
        np.array(values, dtype=np.float32),
    )
