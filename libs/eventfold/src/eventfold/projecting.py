"""One projection and one batch: load its rows, fold, write what changed; set aside what it cannot fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventfold.deadletter import park
from eventfold.errors import Poison
from eventfold.readmodel import Changes, Projection, PublicRecord, Rows
from eventfold.store import Connection


async def project(conn: Connection, projection: Projection, events: Sequence[PublicRecord], held: set[str]) -> None:
    """Fold the events, parking poison (and what must wait behind it) unless the projection halts.

    `held` are the keys that have a parked record. The caller commits. Raises `Poison` where the projection halts, and
    `TooManyParked`.
    """
    waiting = [event for event in events if event.key in held]
    if waiting:
        await park(conn, projection.name, waiting, "waits behind a parked record of its key")
    folding = [event for event in events if event.key not in held] if held else list(events)
    while folding:
        try:
            await write_changes(conn, projection, projection.fold(await load_rows(conn, projection, folding), folding))
            return
        except Poison as poison:
            if projection.halts:
                raise
            folding = await _park_poison(conn, projection.name, folding, poison)


async def _park_poison(
    conn: Connection, name: str, events: Sequence[PublicRecord], poison: Poison
) -> list[PublicRecord]:
    """Park the named record and all later ones of its key; returns what is left to fold."""
    at = next(index for index, event in enumerate(events) if event.id == poison.event_id)
    behind = [event for event in events[at + 1 :] if event.key == events[at].key]
    await park(conn, name, [events[at]], poison.reason)
    await park(conn, name, behind, "waits behind a parked record of its key")
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
    """Write what a fold changed, one statement per table and kind, sorted by key so that writers lock in one order."""
    for table in projection.tables:
        changed = changes.get(table.name, {})
        in_order = sorted(changed)
        upserts = [row for key in in_order if (row := changed[key]) is not None]
        deletes = [key for key in in_order if changed[key] is None]
        if upserts:
            await conn.execute(table.upsert_sql, table.arrays(upserts))
        if deletes:
            await conn.execute(table.delete_sql, table.arrays(deletes))
