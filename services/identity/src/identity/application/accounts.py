"""Use cases around accounts: register, import, claim, grant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from eventfold import (
    NO_STREAM,
    Ask,
    Context,
    DataKey,
    EventStore,
    Handled,
    Idempotency,
    Item,
    Outcome,
    Pool,
    Sealed,
    SubjectKeys,
)
from eventfold.errors import AlreadyExists, UnexpectedVersion
from identity.application.password_hashes import FIELD, NOBODY
from identity.domain.member import (
    MEMBER,
    ClaimMember,
    GrantRole,
    IssueClaimCode,
    Member,
    RegisterMember,
    RehashPassword,
    check_granter,
)
from identity.domain.username import USERNAME, ClaimUsername


@dataclass(frozen=True, slots=True)
class NewMember:
    """A checked registration; the personal fields and the hash are still plain."""

    username: str
    email: str | None
    phone: str | None
    role: str
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class ImportedMember:
    """A checked row of an import."""

    member_id: str
    username: str
    role: str
    registered_at: datetime


class Accounts:
    """Runs commands on members and usernames; an `index` is the blind index of a canonical username."""

    def __init__(self, store: EventStore, pool: Pool, keys: SubjectKeys) -> None:
        self._store = store
        self._pool = pool
        self._keys = keys

    async def register(
        self, new: NewMember, member_id: str, index: str, context: Context, idempotency: Idempotency | None
    ) -> Handled:
        """Create the account and take its name, both or neither. Raises `AlreadyExists`."""
        async with self._pool.connection() as conn:
            key = (await self._keys.ensure(conn, [member_id]))[member_id]
        register = RegisterMember(new.role, *_sealed(key, new))
        item = _registration(member_id, index, register, replace(context, actor=member_id))
        return await self._store.handle(
            item, context, idempotency=idempotency, answer=lambda _: {"member_id": member_id}
        )

    async def import_members(
        self, rows: Sequence[ImportedMember], indexes: Sequence[str], context: Context
    ) -> tuple[list[Outcome], int | None]:
        """Create unclaimed accounts. Returns one outcome per row, and a position that covers all of them.

        Rows that are there already are not sealed again. An external id is one account, under one name: another name
        for it is refused, also where both arrive at once.
        """
        async with self._pool.connection() as conn:
            known = await self._store.load(conn, [MEMBER.stream(row.member_id) for row in rows])
            fresh = [row for row in rows if not known[MEMBER.stream(row.member_id)]]
            keys = await self._keys.ensure(conn, [row.member_id for row in fresh])
        named = [(row, index) for row, index in zip(rows, indexes, strict=True) if row.member_id in keys]
        items = [_imported(row, index, keys[row.member_id], context) for row, index in named]
        handled = await self._store.handle_batch(items, context) if items else Handled({}, None)
        outcomes = iter(handled.outcomes)
        decided = [next(outcomes) if row.member_id in keys else None for row in rows]
        settled = await self._settled(rows, indexes, decided)
        return settled, handled.position or await self._store.last_position()

    async def _settled(
        self, rows: Sequence[ImportedMember], indexes: Sequence[str], decided: Sequence[Outcome | None]
    ) -> list[Outcome]:
        """What was decided; an account that was there before is a duplicate if it has the row's name."""
        there = [one is None or isinstance(one.error, UnexpectedVersion) for one in decided]
        wanted = [USERNAME.at(index) for index, before in zip(indexes, there, strict=True) if before]
        async with self._store.reading() as conn:
            owners = await self._store.states(conn, wanted) if wanted else {}
        return [
            one if one is not None and not before else _known(row, owners[USERNAME.stream(index)])
            for row, index, one, before in zip(rows, indexes, decided, there, strict=True)
        ]

    async def find(self, index: str) -> tuple[str, Member] | None:
        """Id and state of the member with this username; None, after the same reads, if there is no such member."""
        owner = await self._store.current(USERNAME.at(index))
        state = await self.member(owner or NOBODY)
        return (owner, state) if state else None

    async def member(self, member_id: str) -> Member | None:
        """The member's state."""
        state: Member | None = await self._store.current(MEMBER.at(member_id))
        return state

    async def issue_code(self, member_id: str, code_hash: str, lifetime: timedelta, context: Context) -> bool:
        """Record a new one-time code; False where codes that were sent must do. Raises `WrongState` for a claimed
        account."""
        command = IssueClaimCode(code_hash, context.now + lifetime, context.now)
        handled = await self._store.handle(Item((Ask(MEMBER, member_id, command),)), context)
        return bool(handled.outcomes[0].events)

    async def claim(self, member_id: str, code_hash: str, password_hash: Sealed, context: Context) -> Handled:
        """Set the password. Raises `WrongCode`."""
        command = ClaimMember(code_hash, password_hash, context.now)
        return await self._store.handle(Item((Ask(MEMBER, member_id, command),)), context)

    async def rehash(self, member_id: str, password_hash: Sealed, context: Context) -> None:
        """Store the same password's hash with stronger parameters."""
        await self._store.handle(Item((Ask(MEMBER, member_id, RehashPassword(password_hash)),)), context)

    async def grant(
        self, member_id: str, role: str, context: Context, idempotency: Idempotency | None = None
    ) -> Handled:
        """Give the member a role in place of the one that it has. Raises `NotFound`."""
        return await self._store.handle(
            Item((Ask(MEMBER, member_id, GrantRole(role)),)),
            context,
            idempotency=idempotency,
            answer=lambda _: {"member_id": member_id, "role": role},
        )

    async def grant_by(
        self, granter_id: str, member_id: str, role: str, context: Context, idempotency: Idempotency | None
    ) -> Handled:
        """`grant` by another member. Raises `NotPermitted` too, as `check_granter` does."""
        check_granter(granter_id, await self.member(granter_id), member_id)
        return await self.grant(member_id, role, context, idempotency)

    async def open(self, member_id: str, state: Member) -> dict[str, str]:
        """The member's own personal fields in plain. Raises `KeyDestroyed`."""
        async with self._store.reading() as conn:
            key = (await self._keys.get(conn, [member_id]))[member_id]
        fields = {"username": state.username, "email": state.email, "phone": state.phone}
        return {name: key.open(sealed) for name, sealed in fields.items() if sealed is not None}


def _sealed(key: DataKey, new: NewMember) -> tuple[Sealed, Sealed | None, Sealed | None, Sealed | None]:
    return (
        key.seal("username", new.username),
        key.seal("email", new.email) if new.email else None,
        key.seal("phone", new.phone) if new.phone else None,
        key.seal(FIELD, new.password_hash) if new.password_hash else None,
    )


def _registration(member_id: str, index: str, register: RegisterMember, context: Context) -> Item:
    return Item((Ask(USERNAME, index, ClaimUsername(member_id)), Ask(MEMBER, member_id, register)), context)


def _imported(row: ImportedMember, index: str, key: DataKey, context: Context) -> Item:
    register = RegisterMember(
        role=row.role, username=key.seal("username", row.username), email=None, phone=None, password_hash=None
    )
    dated = replace(context, occurred_at=row.registered_at, backfill=True)
    name = Ask(USERNAME, index, ClaimUsername(row.member_id))
    return Item((name, Ask(MEMBER, row.member_id, register, expected=NO_STREAM)), dated)


def _known(row: ImportedMember, owner: str | None) -> Outcome:
    if owner == row.member_id:
        return Outcome()
    return Outcome(error=AlreadyExists("the external id is an account of another name", field="external_id"))
