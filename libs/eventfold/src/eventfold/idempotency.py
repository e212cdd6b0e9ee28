"""Answers under a caller's key: a repeated command gets the answer of the first, and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from psycopg.errors import UniqueViolation

from eventfold.errors import IdempotencyMismatch, VersionConflict

if TYPE_CHECKING:
    from eventfold.store import Connection


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key for one command: `scope` joins caller and RPC, `fingerprint` is an HMAC over the input."""

    scope: str
    key: str
    fingerprint: bytes


async def answered(conn: Connection, idempotency: Idempotency) -> tuple[dict[str, Any], int | None] | None:
    """Ids and position that were answered under the key; None if it is new. Raises `IdempotencyMismatch` where it stood
    for another input."""
    cursor = await conn.execute(
        "SELECT fingerprint, answer FROM idempotency WHERE scope = %s AND key = %s",
        [idempotency.scope, idempotency.key],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    if bytes(row[0]) != idempotency.fingerprint:
        raise IdempotencyMismatch(idempotency.scope)
    return row[1]["ids"], row[1]["position"]


async def keep_answer(
    conn: Connection, idempotency: Idempotency, ids: dict[str, Any], position: int | None, now: datetime
) -> None:
    """Keep the answer, in the events' transaction. Raises `VersionConflict` where the key was used meanwhile."""
    answer = orjson.dumps({"ids": ids, "position": position}).decode()
    try:
        await conn.execute(
            "INSERT INTO idempotency (scope, key, fingerprint, answer, created_at) VALUES (%s, %s, %s, %s, %s)",
            [idempotency.scope, idempotency.key, idempotency.fingerprint, answer, now],
        )
    except UniqueViolation as violation:
        raise VersionConflict((f"idempotency {idempotency.scope}",)) from violation


async def sweep_idempotency(conn: Connection, *, keep_days: int = 7, limit_rows: int = 5000) -> int:
    """Forget answers older than `keep_days`, at most `limit_rows` of them; returns how many went."""
    cursor = await conn.execute(
        """DELETE FROM idempotency WHERE (scope, key) IN (
             SELECT scope, key FROM idempotency
             WHERE created_at < clock_timestamp() - make_interval(days => %s) LIMIT %s)""",
        [keep_days, limit_rows],
    )
    return cursor.rowcount
