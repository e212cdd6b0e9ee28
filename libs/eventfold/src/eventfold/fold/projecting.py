"""One projection and one batch: load rows, fold, write changed rows, park records that cannot be folded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from eventfold.errors import Poison
from eventfold.fold.deadletter import park
from eventfold.fold.passing import of_one_record
from eventfold.fold.readmodel import Changes, Projection, PublicRecord, Rows
from eventfold.postgres.sessions import Connection

log = logging.getLogger(__name__)

WAITS = "waits behind a parked record of its key"


async def project(
    conn: Connection,
    projection: Projection,
    events: Sequence[PublicRecord],
    held: set[str],
    *,
    parks: bool,
    one_by_one: bool = False,
) -> None:
    """Fold the events. If the projection `parks`, poison is parked together with the records that must wait behind it;
    with `one_by_one`, any record on which the fold fails is parked as well. Otherwise the failure of the fold is
    raised.

    `held` are the keys that have a parked record. The caller commits. Raises `TooManyParked`.
    """
    waiting = [event for event in events if event.key in held]
    if waiting:
        await park(conn, projection.name, waiting, WAITS)
    folding = [event for event in events if event.key not in held] if held else list(events)
    while folding:
        try:
            await (_within_savepoint if one_by_one else _apply)(conn, projection, folding)
            return
        except Poison as poison:
            if not parks:
                raise
            at = next(index for index, event in enumerate(folding) if event.id == poison.event_id)
            folding = await _set_aside(conn, projection.name, folding, at, poison.reason)
        except Exception as failure:
            if not one_by_one or not of_one_record(failure):
                raise
            at = await _failing(conn, projection, folding, failure)
            log.exception("projection %s cannot fold event %s: it is parked", projection.name, folding[at].id)
            folding = await _set_aside(conn, projection.name, folding, at, f"{type(failure).__name__} in its fold")


async def _apply(conn: Connection, projection: Projection, events: Sequence[PublicRecord]) -> None:
    await write_changes(conn, projection, projection.fold(await load_rows(conn, projection, events), events))


async def _within_savepoint(conn: Connection, projection: Projection, events: Sequence[PublicRecord]) -> None:
    async with conn.transaction():
        await _apply(conn, projection, events)


async def _failing(conn: Connection, projection: Projection, events: Sequence[PublicRecord], failure: Exception) -> int:
    """The index of the first event on which the fold fails, found by bisection: the events before it fold without
    failure. Raises `failure` if the fold succeeds when it is tried again: then no event is the cause."""
    fits, fails = 0, len(events)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if await _fails(conn, projection, events[:middle]):
            fails = middle
        else:
            fits = middle
    if not await _fails(conn, projection, events[:fails]):
        raise failure
    return fails - 1


async def _fails(conn: Connection, projection: Projection, events: Sequence[PublicRecord]) -> bool:
    """Whether folding these events fails because of a record. Always rolled back."""
    try:
        async with conn.transaction(force_rollback=True):
            await _apply(conn, projection, events)
    except Exception as failure:
        if not of_one_record(failure):
            raise
        return True
    return False


async def _set_aside(
    conn: Connection, name: str, events: Sequence[PublicRecord], at: int, reason: str
) -> list[PublicRecord]:
    """Park one record and all later ones of its key. Returns the events that are left to fold."""
    behind = [event for event in events[at + 1 :] if event.key == events[at].key]
    await park(conn, name, [events[at]], reason)
    await park(conn, name, behind, WAITS)
    parked = {events[at].id, *(event.id for event in behind)}  # offsets repeat across the partitions of a fetch
    return [event for event in events if event.id not in parked]


async def load_rows(conn: Connection, projection: Projection, events: Sequence[PublicRecord]) -> Rows:
    """The rows that the projection names for these events, one query per table."""
    wanted = projection.keys(events)
    rows: dict[str, Mapping[Any, Any]] = {}
    for table in projection.tables:
        keys = list(dict.fromkeys(wanted.get(table.name, ())))
        found: list[Any] = []
        if keys:
            found = await (await conn.execute(table.load_sql, table.arrays(keys))).fetchall()
        typed = [table.row_class._make(row) for row in found]
        rows[table.name] = {table.key(row): row for row in typed}
    return rows


async def write_changes(conn: Connection, projection: Projection, changes: Changes) -> None:
    """Write the changes of a fold, with one statement per table and kind. Keys are sorted, so that all writers lock in
    the same order."""
    for table in projection.tables:
        changed = changes.get(table.name, {})
        in_order = sorted(changed)
        upserts = [row for key in in_order if (row := changed[key]) is not None]
        deletes = [key for key in in_order if changed[key] is None]
        if upserts:
            await conn.execute(table.upsert_sql, table.arrays(upserts))
        if deletes:
            await conn.execute(table.delete_sql, table.arrays(deletes))
