"""Parked records: what a projection cannot apply, with its original bytes, and what must wait behind it."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from eventfold import telemetry
from eventfold.errors import EventfoldError
from eventfold.readmodel import PublicRecord
from eventfold.store import Connection

MAX_PARKED_RECORDS = 1000


class TooManyParked(EventfoldError):
    """More records are parked than an operator can be expected to look through: the worker halts instead."""

    def __init__(self, projection: str) -> None:
        super().__init__(f"{projection} has {MAX_PARKED_RECORDS} parked records; redrive or discard, then restart")
        self.projection = projection


async def held_keys(conn: Connection, projections: Sequence[str]) -> dict[str, set[str]]:
    """Of each projection the keys that have a parked record, so that later records must wait behind it. They are few:
    at most `MAX_PARKED_RECORDS`."""
    if not projections:
        return {}
    cursor = await conn.execute(
        "SELECT DISTINCT projection, record_key FROM dead_letter WHERE projection = ANY(%s)", [list(projections)]
    )
    held: dict[str, set[str]] = {name: set() for name in projections}
    for name, key in await cursor.fetchall():
        held[name].add(key)
    return held


async def park(conn: Connection, projection: str, events: Sequence[PublicRecord], reason: str) -> None:
    """Set records aside in the fold's own transaction. Raises `TooManyParked` at `MAX_PARKED_RECORDS`."""
    if not events:
        return
    cursor = await conn.execute("SELECT count(*) FROM dead_letter WHERE projection = %s", [projection])
    row = await cursor.fetchone()
    if row and row[0] + len(events) > MAX_PARKED_RECORDS:
        raise TooManyParked(projection)
    for event in events:
        headers = {name: value.decode() for name, value in event.headers.items()}
        await conn.execute(
            """INSERT INTO dead_letter (projection, topic, partition, record_offset, seq, record_key, event_id, reason,
                                        headers, value, parked_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())""",
            [projection, event.topic, event.partition, event.offset, event.seq, event.key, event.id, reason,
             orjson.dumps(headers).decode(), event.value],
        )  # fmt: skip
    telemetry.DEAD_LETTERS.labels(projection).inc(len(events))
