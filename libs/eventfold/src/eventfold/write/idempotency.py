"""Answers stored under a caller's key: a repeated command gets the first answer, and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from psycopg.errors import UniqueViolation

from eventfold.errors import IdempotencyMismatch, Unrecordable, VersionConflict
from eventfold.measured.arrays import literals
from eventfold.vocabulary import exact
from eventfold.vocabulary.exact import Inexact
from eventfold.write.standstill import waiting_for

if TYPE_CHECKING:
    from eventfold.postgres.sessions import Connection

_ANSWERED = """SELECT scope, key, fingerprint, answer FROM idempotency
JOIN unnest(%s::text[], %s::text[]) AS w(scope, key) USING (scope, key)"""
_KEEP = """INSERT INTO idempotency (scope, key, fingerprint, answer, created_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[], %s::text[]::jsonb[], %s::timestamptz[])"""

ScopedKey = tuple[str, str]
"""Scope and key."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key for one command: `scope` joins caller and RPC, `fingerprint` is an HMAC over the input.

    `accepted` are fingerprints of the same input under HMAC keys that were current before, or will be next.
    """

    scope: str
    key: str
    fingerprint: bytes
    accepted: tuple[bytes, ...] = ()

    @property
    def place(self) -> ScopedKey:
        """The key under which the answer is stored."""
        return self.scope, self.key

    @property
    def line(self) -> str:
        """The name under which its callers queue, as writers of a stream do."""
        return f"idempotency {self.scope} {self.key}"


Answers = dict[ScopedKey, tuple[dict[str, Any], int | None]]
"""Ids and position of each answer, by scope and key."""


async def answered(conn: Connection, asked: Sequence[Idempotency]) -> Answers:
    """The stored answers under these keys; new keys are left out. Raises `IdempotencyMismatch` if a key was used for
    another input."""
    cursor = await conn.execute(_ANSWERED, literals(("text", "text"), [one.place for one in asked]))
    kept = {(scope, key): (bytes(fingerprint), answer) for scope, key, fingerprint, answer in await cursor.fetchall()}
    for one in asked:
        if one.place in kept and kept[one.place][0] not in (one.fingerprint, *one.accepted):
            raise IdempotencyMismatch(one.scope)
    return {place: (answer["ids"], answer["position"]) for place, (_, answer) in kept.items()}


async def keep_answers(
    conn: Connection, answers: Sequence[tuple[Idempotency, Mapping[str, Any], int | None, datetime]]
) -> None:
    """Store answers (key, ids, position, time), in the transaction of the events. Raises `VersionConflict` if a key was
    used meanwhile or occurs twice here, and `Unrecordable` for ids that would read differently in a repeated answer."""
    if not answers:
        return
    for one, ids, *_ in answers:
        _check(one, ids)
    rows = [
        (one.scope, one.key, one.fingerprint, orjson.dumps({"ids": ids, "position": position}).decode(), now)
        for one, ids, position, now in answers
    ]
    try:
        with waiting_for(one.line for one, *_ in answers):
            await conn.execute(_KEEP, literals(("text", "text", "bytea", "text", "timestamptz"), rows))
    except UniqueViolation as violation:
        scopes = sorted({one.scope for one, *_ in answers})
        raise VersionConflict(tuple(f"idempotency {scope}" for scope in scopes)) from violation


def _check(key: Idempotency, ids: Mapping[str, Any]) -> None:
    try:
        exact.json(ids)
    except Inexact as inexact:
        raise Unrecordable(f"answer of {key.scope.rpartition('|')[2]}", inexact.path, inexact.reason) from inexact


async def sweep_idempotency(conn: Connection, *, keep_days: int = 7, limit_rows: int = 5000) -> int:
    """Delete answers older than `keep_days`, at most `limit_rows` of them. Returns the number deleted."""
    cursor = await conn.execute(
        """DELETE FROM idempotency WHERE (scope, key) IN (
             SELECT scope, key FROM idempotency
             WHERE created_at < clock_timestamp() - make_interval(days => %s) LIMIT %s)""",
        [keep_days, limit_rows],
    )
    return cursor.rowcount
