"""Writes events into their tables, together with the due dates that they set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg.errors import DeadlockDetected, UniqueViolation

from eventfold.errors import VersionConflict
from eventfold.postgres.sessions import Connection
from eventfold.vocabulary.decider import Ask, Recorded
from eventfold.write import due_dates
from eventfold.write.rows import StoredRow, insertion
from eventfold.write.standstill import waiting_for


async def append(
    conn: Connection, events: Sequence[Recorded], rows: Sequence[StoredRow], asks: Mapping[str, Ask]
) -> list[int]:
    """Insert the rows of the events, and write the due dates that they set, move or cancel. Returns the position of
    each event. Dates come first: the due-date worker locks in that order too."""
    changes = due_dates.changes(events, asks)
    with waiting_for(event.stream for event in events):
        if not changes:
            return await _insert(conn, events, rows)
        async with conn.transaction():
            await due_dates.write(conn, changes)
            return await _insert(conn, events, rows)


async def _insert(conn: Connection, events: Sequence[Recorded], rows: Sequence[StoredRow]) -> list[int]:
    """Insert the rows. Returns the position of each event, in order."""
    if not events:
        return []
    statement, values = insertion(rows)
    try:
        cursor = await conn.execute(statement, values)
    except (UniqueViolation, DeadlockDetected) as conflict:
        raise VersionConflict(tuple(sorted({event.stream for event in events}))) from conflict
    return [row[0] for row in await cursor.fetchall()]
