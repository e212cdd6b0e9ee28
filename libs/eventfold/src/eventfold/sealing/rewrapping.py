"""Wraps subjects' keys anew under the current key-encryption key, so that an old one can be retired."""

from __future__ import annotations

from collections.abc import Callable

from eventfold.postgres.sessions import Connection
from eventfold.sealing.keys import KeyEncryptionKeys

_UNDER_OTHERS = """SELECT subject_id, wrapped FROM subject_key
WHERE wrapped IS NOT NULL AND kek_id <> %s AND subject_id > %s ORDER BY subject_id LIMIT %s"""
# Only rows that are as they were read: a key destroyed meanwhile must not come back.
_REWRAP = """UPDATE subject_key SET wrapped = w.new, kek_id = %s
FROM unnest(%s::text[], %s::bytea[], %s::bytea[]) AS w(subject_id, old, new)
WHERE subject_key.subject_id = w.subject_id AND subject_key.wrapped = w.old"""
_LEFT = "SELECT count(*) FROM subject_key WHERE wrapped IS NOT NULL AND kek_id <> %s"


async def rewrap(conn: Connection, keys: KeyEncryptionKeys, at_once: int, tell: Callable[[str], None]) -> int:
    """Wrap every living subject key anew under the current key, `at_once` keys in a transaction. Returns how many keys
    are left under others: those that none of `keys` opens (`tell` reports them), and those that were added meanwhile.

    Blocks for some 2 ms per key. May be stopped anywhere and run again.
    """
    done, last = 0, ""
    while rows := await (await conn.execute(_UNDER_OTHERS, [keys.id, last, at_once])).fetchall():
        last = rows[-1][0]
        opened = {subject_id: (wrapped, keys.rewrapped(wrapped)) for subject_id, wrapped in rows}
        new = {subject_id: pair for subject_id, pair in opened.items() if pair[1] is not None}
        arguments = [list(new), [old for old, _ in new.values()], [fresh for _, fresh in new.values()]]
        done += (await conn.execute(_REWRAP, [keys.id, *arguments])).rowcount
        tell(f"{done} keys are wrapped anew" + (f", {len(rows) - len(new)} cannot be opened" * (len(new) < len(rows))))
    row = await (await conn.execute(_LEFT, [keys.id])).fetchone()
    return int(row[0]) if row else 0
