"""What may be recommended to whom: the one place where content is left out."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from reco.recommendation.application.copy import Copy
from reco.recommendation.projections import ItemRow


@dataclass(frozen=True, slots=True)
class Filters:
    """What the caller asked for; empty fields mean any."""

    creator_id: str = ""
    category: str = ""
    tag: str = ""
    kind: str = ""
    access: str = ""

    @property
    def any(self) -> bool:
        """Whether all content passes."""
        return not (self.creator_id or self.category or self.tag or self.kind or self.access)

    def passes(self, row: ItemRow) -> bool:
        """Whether this content does."""
        return (
            self.creator_id in ("", row.creator_id)
            and self.category in ("", row.category)
            and self.kind in ("", row.kind)
            and self.access in ("", row.access)
            and (not self.tag or self.tag in row.tags)
        )

    def of(self, copy: Copy) -> Callable[[str], bool] | None:
        """A test of content ids; None if all pass."""
        if self.any:
            return None
        return lambda content_id: (row := copy.items.get(content_id)) is not None and self.passes(row)


class LeftOut(Container[str]):
    """Content that an answer must not hold. What is left out of everybody's answers may be much, and is not copied for
    each: it is looked at where it stands, so an answer must not wait between its steps."""

    __slots__ = ("_everybodys", "mine")

    def __init__(self, mine: frozenset[str] | set[str], everybodys: frozenset[str] | set[str]) -> None:
        self.mine, self._everybodys = mine, everybodys

    def __contains__(self, content_id: object) -> bool:
        return content_id in self.mine or content_id in self._everybodys

    def __iter__(self) -> Iterator[str]:
        """All of it, some perhaps twice."""
        return chain(self.mine, self._everybodys)

    def and_also(self, content_ids: Iterable[str]) -> LeftOut:
        """With more."""
        return LeftOut(self.mine.union(content_ids), self._everybodys)


def left_out(copy: Copy, member_id: str, now: datetime) -> LeftOut:
    """Content that is never recommended to this member, beside what the member had: hidden, owned, their own, and paid
    content that nobody can buy."""
    hidden = {content_id for content_id, mark in copy.marks(member_id).items() if mark.hidden is not None}
    owned = {one.product_id for one in copy.entitlements(member_id) if one.expires_at is None or now < one.expires_at}
    return LeftOut(hidden.union(owned, copy.created_by(member_id)), copy.inaccessible)
