"""Use cases around interactions: record, batch and import them; read comments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from catalog.access.domain import Grant
from catalog.content.domain import CONTENT, RequireAccess, RequirePublished
from catalog.interaction.domain import (
    INTERACTION,
    Command,
    Comment,
    Commented,
    Complete,
    Like,
    Rate,
    Repeated,
    Share,
    Unlike,
    View,
    pair,
)
from eventfold import Ask, Context, DataKey, EventStore, Handled, Idempotency, Item, Outcome, Pool, SubjectKeys
from eventfold.errors import KeyDestroyed, NotFound

GATED = ("rate", "complete")
GrantsOf = Callable[[str, Collection[str]], Awaitable[Mapping[str, Grant]]]
"""The grants that a member holds of products, by product id."""


@dataclass(frozen=True, slots=True)
class Act:
    """A checked interaction; the comment's text is still plain. Unused fields are empty or 0."""

    member_id: str
    content_id: str
    kind: str
    act_id: str
    rating: int = 0
    text: str = ""
    channel: str = ""
    watched_ms: int = 0
    client_key: str = ""
    occurred_at: datetime | None = None

    @property
    def needs_access(self) -> bool:
        """Whether only who may read the content may do this. What is imported was done elsewhere, under other rules."""
        return self.kind in GATED and self.occurred_at is None


class Interacting:
    """Decides over the streams of members and content."""

    def __init__(self, store: EventStore, pool: Pool, keys: SubjectKeys, grants: GrantsOf) -> None:
        self._store = store
        self._pool = pool
        self._keys = keys
        self._grants = grants

    async def record(self, act: Act, context: Context, idempotency: Idempotency | None) -> Handled:
        """Record one act; the answer's `status` is `created` or `duplicate`. Raises `NotFound` for absent content, and
        `AccessNeeded` where a member rates or completes what they may not read."""
        item = (await self._items([act], context))[0]
        return await self._store.handle(
            item,
            context,
            idempotency=idempotency,
            answer=lambda outcomes: {"status": "created" if outcomes[0].events else "duplicate"},
        )

    async def record_all(self, acts: Sequence[Act], context: Context) -> tuple[Sequence[Outcome], int | None]:
        """Record many, each alone; one outcome each, and a position that covers them all."""
        if not acts:
            return (), await self._store.last_position()
        handled = await self._store.handle_batch(await self._items(acts, context), context)
        outcomes = [_counted(outcome) for outcome in handled.outcomes]
        return outcomes, handled.position or await self._store.last_position()

    async def comment_texts(self, comments: Sequence[tuple[str, str, str]]) -> dict[str, str]:
        """Texts by comment id, for (content, member, comment) ids; those of erased members are left out."""
        streams = {INTERACTION.stream(pair(member_id, content_id)): member_id for content_id, member_id, _ in comments}
        async with self._store.reading() as conn:
            loaded = await self._store.load(conn, streams)
            keys = {member_id: await self._key(conn, member_id) for member_id in set(streams.values())}
        wanted = {comment_id for _, _, comment_id in comments}
        return {
            recorded.event.comment_id: key.open(recorded.event.text)
            for stream, history in loaded.items()
            if (key := keys[streams[stream]])
            for recorded in history
            if isinstance(recorded.event, Commented) and recorded.event.comment_id in wanted
        }

    async def _key(self, conn: object, member_id: str) -> DataKey | None:
        try:
            return (await self._keys.get(conn, [member_id]))[member_id]  # type: ignore[arg-type]
        except (KeyDestroyed, NotFound):
            return None

    async def _items(self, acts: Sequence[Act], context: Context) -> list[Item]:
        commenting = {act.member_id for act in acts if act.kind == "comment"}
        keys = await self._keys_of(commenting) if commenting else {}
        grants = await self._grants_for(acts)
        return [_item(act, keys, grants, context) for act in acts]

    async def _grants_for(self, acts: Sequence[Act]) -> Mapping[str, Grant]:
        """By content id, what the caller holds of what they rate or complete."""
        gated = {act.content_id for act in acts if act.needs_access}
        member_ids = {act.member_id for act in acts if act.needs_access}
        return await self._grants(member_ids.pop(), gated) if gated else {}

    async def _keys_of(self, member_ids: set[str]) -> dict[str, DataKey]:
        async with self._pool.connection() as conn:
            return await self._keys.ensure(conn, member_ids)


def _counted(outcome: Outcome) -> Outcome:
    """An act that was only remembered is, for its sender, one that had been done before."""
    repeated = bool(outcome.events) and all(isinstance(recorded.event, Repeated) for recorded in outcome.events)
    return Outcome() if repeated else outcome


def _item(act: Act, keys: Mapping[str, DataKey], grants: Mapping[str, Grant], context: Context) -> Item:
    required: RequirePublished | RequireAccess = RequirePublished()
    if act.needs_access:
        required = RequireAccess(act.member_id, grants.get(act.content_id), context.now)
    dated = context if act.occurred_at is None else replace(context, occurred_at=act.occurred_at, backfill=True)
    asks = (
        Ask(CONTENT, act.content_id, required),
        Ask(INTERACTION, pair(act.member_id, act.content_id), _command(act, keys)),
    )
    return Item(asks, dated)


def _command(act: Act, keys: Mapping[str, DataKey]) -> Command:
    match act.kind:
        case "view":
            return View(act.watched_ms, act.client_key)
        case "like":
            return Like(act.client_key)
        case "unlike":
            return Unlike(act.client_key)
        case "share":
            return Share(act.channel, act.client_key)
        case "rate":
            return Rate(act.rating, act.client_key)
        case "complete":
            return Complete(act.client_key)
        case "comment":
            sealed = keys[act.member_id].seal("comment", act.text)
            return Comment(act.act_id, sealed, len(act.text), act.client_key)
        case _:
            raise ValueError(f"{act.kind} is no kind of interaction")
