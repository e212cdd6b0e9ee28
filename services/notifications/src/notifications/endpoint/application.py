"""Use cases of endpoints."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from eventfold import Ask, Context, DataKey, EventStore, Handled, Idempotency, Item, Pool, Sealed, SubjectKeys
from notifications import secrets
from notifications.endpoint.domain import (
    ENDPOINT,
    ChangeEndpoint,
    Command,
    Endpoint,
    EndSecret,
    RegisterEndpoint,
    RemoveEndpoint,
    RotateSecret,
    Scope,
)
from notifications.secrets import Secrets


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """A checked request to register."""

    scope: Scope
    url: str
    description: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wishes:
    """A checked request to change; None: as it is."""

    url: str | None
    description: str | None
    types: tuple[str, ...] | None


class Plain(NamedTuple):
    """What is sealed of an endpoint, opened."""

    url: str
    description: str


class Registering:
    """Decides over endpoints. Addresses and descriptions are sealed here."""

    def __init__(self, store: EventStore, pool: Pool, keys: SubjectKeys, kept: Secrets) -> None:
        self._store = store
        self._pool = pool
        self._keys = keys
        self._kept = kept

    async def register(
        self, endpoint_id: str, member_id: str, new: NewEndpoint, context: Context, idempotency: Idempotency | None
    ) -> tuple[Handled, str]:
        """Register an endpoint under an id that was just made up; the answer holds the `endpoint_id`. Returns the
        secret, too: empty where this was answered before."""
        fresh = secrets.made(str(uuid.uuid4()))
        async with self._kept.kept(endpoint_id, member_id, fresh):
            command = await self._sealed(member_id, new, fresh.secret_id, context.now)
            item = Item((Ask(ENDPOINT, endpoint_id, command, new=True),))
            answer = {"endpoint_id": endpoint_id}
            handled = await self._store.handle(item, context, idempotency=idempotency, answer=lambda _: answer)
        return await self._shown(handled, endpoint_id, fresh)

    async def rotate(
        self, endpoint_id: str, member_id: str, context: Context, idempotency: Idempotency | None
    ) -> tuple[Handled, str]:
        """Make a new secret. Returns it, too: empty where this was answered before."""
        fresh = secrets.made(str(uuid.uuid4()))
        async with self._kept.kept(endpoint_id, member_id, fresh):
            item = Item((Ask(ENDPOINT, endpoint_id, RotateSecret(fresh.secret_id, context.now)),))
            handled = await self._store.handle(item, context, idempotency=idempotency, answer=lambda _: {})
        return await self._shown(handled, endpoint_id, fresh)

    async def change(
        self, endpoint_id: str, present: Endpoint, wishes: Wishes, context: Context, idempotency: Idempotency | None
    ) -> Handled:
        """Change what is other than it is; a wish for what is so already records nothing."""
        [plain] = await self.opened([present])
        async with self._pool.connection() as conn:
            key = (await self._keys.ensure(conn, [present.member_id]))[present.member_id]
        command = ChangeEndpoint(
            url=_sealed_if_other(key, "url", wishes.url, plain.url),
            description=_sealed_if_other(key, "description", wishes.description, plain.description),
            types=wishes.types,
        )
        return await self.ask(endpoint_id, command, context, idempotency)

    async def ask(
        self, endpoint_id: str, command: Command, context: Context, idempotency: Idempotency | None
    ) -> Handled:
        """Record one command."""
        item = Item((Ask(ENDPOINT, endpoint_id, command),))
        return await self._store.handle(item, context, idempotency=idempotency, answer=lambda _: {})

    async def end_secret(
        self, endpoint_id: str, present: Endpoint, context: Context, idempotency: Idempotency | None
    ) -> Handled:
        """Let the older secret sign no longer, and delete it."""
        handled = await self.ask(endpoint_id, EndSecret(context.now), context, idempotency)
        if present.ending:
            await self._kept.forget(endpoint_id, [present.ending.secret_id])
        return handled

    async def remove(
        self, endpoint_id: str, present: Endpoint, context: Context, idempotency: Idempotency | None
    ) -> Handled:
        """Forget the endpoint, and delete its secrets; its deliveries are swept."""
        handled = await self.ask(endpoint_id, RemoveEndpoint(), context, idempotency)
        known = [present.secret_id, *([present.ending.secret_id] if present.ending else [])]
        await self._kept.forget(endpoint_id, known)
        return handled

    async def all_current(self, endpoint_ids: Sequence[str]) -> dict[str, Endpoint]:
        """Those of these endpoints that are there, as they stand."""
        streams = {ENDPOINT.stream(one): one for one in endpoint_ids}
        async with self._store.reading() as conn:
            states = await self._store.states(conn, [ENDPOINT.at(one) for one in endpoint_ids])
        return {streams[stream]: state for stream, state in states.items() if state and not state.removed}

    async def opened(self, endpoints: Sequence[Endpoint]) -> list[Plain]:
        """Address and description of each. Raises `KeyDestroyed` for those of an erased member."""
        async with self._pool.connection() as conn:
            keys = await self._keys.get(conn, sorted({one.member_id for one in endpoints}))
        return [
            Plain(keys[one.member_id].open(one.url), keys[one.member_id].open(one.description)) for one in endpoints
        ]

    async def _sealed(self, member_id: str, new: NewEndpoint, secret_id: str, now: datetime) -> RegisterEndpoint:
        async with self._pool.connection() as conn:
            key = (await self._keys.ensure(conn, [member_id]))[member_id]
        return RegisterEndpoint(
            member_id=member_id,
            scope=new.scope,
            url=key.seal("url", new.url),
            description=key.seal("description", new.description),
            types=new.types,
            secret_id=secret_id,
            now=now,
        )

    async def _shown(self, handled: Handled, endpoint_id: str, fresh: secrets.Fresh) -> tuple[Handled, str]:
        if not handled.replayed:
            return handled, fresh.shown
        await self._kept.forget(endpoint_id, [fresh.secret_id])
        return handled, ""


def _sealed_if_other(key: DataKey, field: str, wish: str | None, present: str) -> Sealed | None:
    """A fresh seal differs each time, so what is so already must not be sealed again."""
    return None if wish is None or wish == present else key.seal(field, wish)
