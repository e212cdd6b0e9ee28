"""A copy of the facts in memory: what answers are computed from. Not thread-safe: one event loop owns it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reco.model.model import Model
from reco.model.rows import Item, Pair
from reco.recommendation.application.pairs import Bounds, Pairs, micros
from reco.recommendation.domain.signals import strength
from reco.recommendation.projections import (
    ENTITLEMENTS,
    ITEMS,
    MARKS,
    PAIRS,
    PREFERENCES,
    PRODUCTS,
    EntitlementRow,
    ItemRow,
    MarkRow,
    PairRow,
    PreferenceRow,
    ProductRow,
)


class Again(NamedTuple):
    """Pairs whose rows have to be read again, because something else changed what they say."""

    marked: Sequence[tuple[str, str]]
    """Members and contents."""
    contents: Sequence[str]
    """Contents whose duration changed."""


class Copy:
    """All that answers rest on. Rows may come in any order, and again: the newest values stay."""

    def __init__(self, bounds: Bounds, make_model: Callable[[], Model]) -> None:
        self._bounds, self._make_model = bounds, make_model
        self.pairs = Pairs(bounds)
        self.model = make_model()
        self.items: dict[str, ItemRow] = {}
        self.inaccessible: set[str] = set()
        """Paid content that nobody can buy."""
        self._by_creator: dict[str, set[str]] = {}
        self._products: set[str] = set()
        self._marks: dict[str, dict[str, MarkRow]] = {}
        self._preferences: dict[str, PreferenceRow] = {}
        self._entitlements: dict[str, dict[str, EntitlementRow]] = {}
        self._marked: list[tuple[str, str]] = []
        self._lengthened: list[str] = []
        self._told: list[Pair] = []
        self.takers: Mapping[str, Callable[[Sequence[Any]], None]] = {
            ITEMS.name: self.take_items,
            MARKS.name: self.take_marks,
            PREFERENCES.name: self.take_preferences,
            PRODUCTS.name: self.take_products,
            ENTITLEMENTS.name: self.take_entitlements,
            PAIRS.name: self.take_pairs,
        }
        """How the rows of each table are taken. Pairs come last: what they say depends on the others."""

    def emptied(self) -> Copy:
        """An empty copy with the same bounds, for when all rows are read anew. It keeps what the model has learned."""
        made = Copy(self._bounds, self._make_model)
        made.model.inherit(self.model)
        return made

    def again(self) -> Again:
        """The pairs to read and take again; asked after the other tables were taken. Forgets them."""
        found = Again(self._marked, self._lengthened)
        self._marked, self._lengthened = [], []
        return found

    def take_items(self, rows: Sequence[ItemRow]) -> None:
        """Content, as it was last published."""
        for row in rows:
            before = self.items.get(row.content_id)
            if row.duration_ms != (before.duration_ms if before else None):
                self._lengthened.append(row.content_id)
            self.items[row.content_id] = row
            self._by_creator.setdefault(row.creator_id, set()).add(row.content_id)
            self._judge(row)
        self.pairs.take_items(rows)
        self.model.take_items([_item(row) for row in rows])

    def take_marks(self, rows: Iterable[MarkRow]) -> None:
        """What members say about content."""
        for row in rows:
            self._marks.setdefault(row.member_id, {})[row.content_id] = row
            self._marked.append((row.member_id, row.content_id))

    def take_preferences(self, rows: Iterable[PreferenceRow]) -> None:
        """Members' choices."""
        for row in rows:
            self._preferences[row.member_id] = row
            self.model.choose(row.member_id, tuple(row.interests or ()))

    def take_products(self, rows: Iterable[ProductRow]) -> None:
        """What is for sale."""
        for row in rows:
            self._products.add(row.product_id)
            self.inaccessible.discard(row.product_id)

    def take_entitlements(self, rows: Iterable[EntitlementRow]) -> None:
        """What members may use."""
        for row in rows:
            self._entitlements.setdefault(row.member_id, {})[row.entitlement_id] = row

    def take_pairs(self, rows: Sequence[PairRow]) -> None:
        """What members did. The model has it after `taken`."""
        self.pairs.take_pairs(rows)
        self._told += [self._pair(row) for row in rows]

    def taken(self) -> None:
        """All rows of one reading were taken: the model gets its pairs at once, which is much faster for many."""
        told, self._told = self._told, []
        self._tell_model(told)

    def _tell_model(self, pairs: Sequence[Pair]) -> None:
        self.model.take(pairs)

    def preference(self, member_id: str) -> PreferenceRow:
        """A member's choices, or what holds for those who made none."""
        return self._preferences.get(member_id) or PreferenceRow(member_id)

    def marks(self, member_id: str) -> Mapping[str, MarkRow]:
        """What a member says about contents, by content id."""
        return self._marks.get(member_id, {})

    def entitlements(self, member_id: str) -> Iterable[EntitlementRow]:
        """What a member was granted; it may have ended."""
        return self._entitlements.get(member_id, {}).values()

    def created_by(self, member_id: str) -> Iterable[str]:
        """The contents of which a member is the creator."""
        return self._by_creator.get(member_id, ())

    def _judge(self, row: ItemRow) -> None:
        if row.access == "free" or row.content_id in self._products:
            self.inaccessible.discard(row.content_id)
        else:
            self.inaccessible.add(row.content_id)

    def strength(self, row: PairRow) -> float:
        """How much a pair says for the member's taste; 0 where the member excluded it."""
        mark = self.marks(row.member_id).get(row.content_id)
        if mark is not None and mark.excluded:
            return 0.0
        item = self.items.get(row.content_id)
        return strength(
            weight=row.weight,
            rating=row.rating,
            watched_ms=row.watched_ms,
            duration_ms=item.duration_ms if item else None,
            hidden=mark is not None and mark.hidden is not None,
        )

    def _pair(self, row: PairRow) -> Pair:
        first_us, last_us = micros(row.first_at), micros(row.last_at)
        return Pair(row.member_id, row.content_id, first_us, last_us, self.strength(row))


def _item(row: ItemRow) -> Item:
    return Item(
        content_id=row.content_id,
        creator_id=row.creator_id,
        kind=row.kind,
        tags=tuple(row.tags),
        category=row.category,
        published_us=micros(row.published_at),
    )
