"""Use cases around content: publish and import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from catalog.content.domain import CONTENT, ContentPublished, PublishContent, Work
from eventfold import Ask, Context, EventStore, Handled, Idempotency, Item, Outcome, Pool, SubjectKeys


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A checked work whose byline is still plain."""

    content_id: str
    creator_id: str
    work: Work
    byline: str
    published_at: datetime | None = None


class Publishing:
    """Decides over content streams."""

    def __init__(self, store: EventStore, pool: Pool, keys: SubjectKeys) -> None:
        self._store = store
        self._pool = pool
        self._keys = keys

    async def publish(self, manuscript: Manuscript, context: Context, idempotency: Idempotency | None) -> Handled:
        """Publish one work; the answer holds `content_id`."""
        item = (await self._items([manuscript], context))[0]
        answer = {"content_id": manuscript.content_id}
        return await self._store.handle(item, context, idempotency=idempotency, answer=lambda _: answer)

    async def import_all(
        self, manuscripts: Sequence[Manuscript], context: Context
    ) -> tuple[Sequence[Outcome], int | None]:
        """Publish works with their own past times; one outcome each, and a position that covers them all."""
        if not manuscripts:
            return (), await self._store.last_position()
        handled = await self._store.handle_batch(await self._items(manuscripts, context), context)
        return handled.outcomes, handled.position or await self._store.last_position()

    async def _items(self, manuscripts: Sequence[Manuscript], context: Context) -> list[Item]:
        signed = {manuscript.creator_id for manuscript in manuscripts if manuscript.byline}
        async with self._pool.connection() as conn:
            keys = await self._keys.ensure(conn, signed)
        items = []
        for one in manuscripts:
            byline = keys[one.creator_id].seal("byline", one.byline) if one.byline else None
            command = PublishContent(one.creator_id, replace(one.work, byline=byline))
            items.append(Item((Ask(CONTENT, one.content_id, command),), _dated(context, one.published_at)))
        return items

    async def content(self, content_id: str) -> tuple[ContentPublished, datetime] | None:
        """The published content and since when; None if there is none."""
        stream = CONTENT.stream(content_id)
        async with self._store.reading() as conn:
            history = (await self._store.load(conn, [stream]))[stream]
        return (history[0].event, history[0].occurred_at) if history else None


def _dated(context: Context, at: datetime | None) -> Context:
    return context if at is None else replace(context, occurred_at=at, backfill=True)
