"""Use cases of preferences."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from eventfold import Ask, Context, EventStore, Handled, Idempotency, Item
from eventfold.errors import NotFound
from reco.preference.domain import MARK, TASTE, MarkCommand, TasteCommand, mark_id

IsPublished = Callable[[str], Awaitable[bool]]
"""Whether content of this id has been published, as far as the catalog's events have been folded."""


class Preferring:
    """Takes the decisions of preferences."""

    def __init__(self, store: EventStore, is_published: IsPublished) -> None:
        self._store = store
        self._is_published = is_published

    async def mark(
        self, member_id: str, content_id: str, command: MarkCommand, context: Context, idempotency: Idempotency | None
    ) -> Handled:
        """Record what a member says about content. Raises `NotFound` for content that nobody published."""
        if not await self._is_published(content_id):
            raise NotFound("there is no such content", field="content_id", content_id=content_id)
        ask = Ask(MARK, mark_id(member_id, content_id), command)
        return await self._store.handle(Item((ask,)), context, idempotency=idempotency, answer=lambda _: {})

    async def choose(
        self, member_id: str, commands: Sequence[TasteCommand], context: Context, idempotency: Idempotency | None
    ) -> Handled:
        """Record a member's choices, all or none."""
        asks = tuple(Ask(TASTE, member_id, command) for command in commands)
        return await self._store.handle(Item(asks), context, idempotency=idempotency, answer=lambda _: {})
