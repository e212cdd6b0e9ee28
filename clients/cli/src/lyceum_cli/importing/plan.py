"""What is sent in which order: slices of event time, within a slice the kinds in turn, cut into batches. Pure.

A row about content of the same import comes no earlier than that content, whatever their times say: else it would be
refused the first time and taken the second.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lyceum_cli.importing.columns import KINDS, Kind
from lyceum_cli.importing.rows import Item

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_BATCH_ITEMS: Final = 500
MAX_BATCH_BYTES: Final = 3_000_000
"""Below what the gateway takes in one request, 4 MiB."""
DEFAULT_SLICE_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of one kind that are sent together, oldest first."""

    kind: Kind
    items: tuple[Item, ...]


def batches(
    items: Iterable[Item], batch_items: int = MAX_BATCH_ITEMS, slice_days: int = DEFAULT_SLICE_DAYS
) -> list[Batch]:
    """All of `items` in batches. The same items, in whatever order, make the same batches."""
    found = list(items)
    published = _published(found, slice_days)
    ordered = sorted(found, key=lambda one: _place(one, slice_days, published))
    groups = itertools.groupby(ordered, key=lambda one: _place(one, slice_days, published)[:2])
    return [batch for _, group in groups for batch in _cut(list(group), batch_items)]


def _slice(one: Item, slice_days: int) -> int:
    """Slices are counted from 1970, so that they do not depend on which rows there are."""
    return (one.at - EPOCH).days // slice_days


def _published(items: Iterable[Item], slice_days: int) -> Mapping[str, int]:
    """The slice of each content, by external id; of one that stands there twice the first."""
    slices: dict[str, int] = {}
    for one in items:
        if one.kind == "contents":
            slices[one.external_id] = min(_slice(one, slice_days), slices.get(one.external_id, sys.maxsize))
    return slices


def _place(one: Item, slice_days: int, published: Mapping[str, int]) -> tuple[int, int, datetime, int, int]:
    own = _slice(one, slice_days)
    return max(own, published.get(one.content, own)), KINDS.index(one.kind), one.at, one.source, one.line


def _cut(items: Sequence[Item], batch_items: int) -> Iterator[Batch]:
    taken: list[Item] = []
    size_bytes = 0
    for one in items:
        item_bytes = len(json.dumps(one.body, ensure_ascii=False).encode())
        if taken and (len(taken) == batch_items or size_bytes + item_bytes > MAX_BATCH_BYTES):
            yield Batch(taken[0].kind, tuple(taken))
            taken, size_bytes = [], 0
        taken.append(one)
        size_bytes += item_bytes
    if taken:
        yield Batch(taken[0].kind, tuple(taken))
