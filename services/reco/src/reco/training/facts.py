"""What training works with: positives and negatives by number, and what each content is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reco.model.rows import Floats32, Ints, Item

MAX_PAIRS = 100_000_000
MAX_MEMBERS = 5_000_000
MAX_ITEMS = 1_000_000
MAX_TAGS = 50
"""Of one content or one member; those beyond are left out."""


class Position(NamedTuple):
    """How far a fold had come on one partition when the facts were read."""

    projection: str
    topic: str
    partition: int
    seq: int


class Origin(NamedTuple):
    """Where facts come from: `snapshot` names the one look at the tables in which all were read."""

    snapshot: str
    positions: tuple[Position, ...]


@dataclass(frozen=True)
class Facts:
    """Members and items are numbers from 0; `items[n]` says which content the number n is.

    `pair_members`, `pair_items`, `strengths` (at most 0: against), `first_us` are as long as there are pairs, in order
    of member and content. `interests`: tags that members chose, by number.
    """

    origin: Origin
    items: Sequence[Item]
    member_count: int
    pair_members: Ints
    pair_items: Ints
    strengths: Floats32
    first_us: Ints
    interests: Mapping[int, tuple[str, ...]]
