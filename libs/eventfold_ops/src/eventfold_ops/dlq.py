"""Dead letters: look at parked records, apply them directly in a fold's transaction, or give them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventfold import Connection, Projection, PublicRecord
from eventfold.errors import NotFound
from eventfold.fold.deadletter import headers_of
from eventfold.fold.positions import take_turns
from eventfold.fold.projecting import load_rows, write_changes
from eventfold.fold.readmodel import KeptRecord, given, settings_of, turn
from eventfold.postgres import built_under
from eventfold.publish.publisher import Avro

MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked record as an operator sees it; `record_key` is opaque."""

    projection: str
    topic: str
    partition: int
    offset: int
    record_key: str
    event_id: str
    reason: str
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a parked record, as it was received, and the number of records that wait behind it. A header that
    is not text is shown as `{"base64": …}`."""

    letter: DeadLetter
    headers: dict[str, Any]
    value: bytes
    waiting: int


class NothingParked(NotFound):
    """Nothing is parked under this key, or no longer."""

    def __init__(self, projection: str, record_key: str) -> None:
        reason = "nothing is parked under this key: see `dlq list`"
        super().__init__(reason, projection=projection, record_key=record_key)


async def parked(conn: Connection, projection: str | None = None, limit: int = MAX_LISTED) -> list[DeadLetter]:
    """Parked records in the order in which they must be redriven, at most `limit`."""
    cursor = await conn.execute(
        """SELECT projection, topic, partition, record_offset, record_key, event_id, reason, parked_at FROM dead_letter
           WHERE %s::text IS NULL OR projection = %s ORDER BY projection, record_key, seq LIMIT %s""",
        [projection, projection, limit],
    )
    return [DeadLetter(*row) for row in await cursor.fetchall()]


async def content(conn: Connection, projection: str, event_id: str) -> Content:
    """One parked record with its original bytes. Raises `NotFound`."""
    cursor = await conn.execute(
        """SELECT projection, topic, partition, record_offset, record_key, event_id, reason, parked_at, headers, value,
                  (SELECT count(*) FROM dead_letter b WHERE b.projection = d.projection
                   AND b.record_key = d.record_key AND b.seq > d.seq)
           FROM dead_letter d WHERE projection = %s AND event_id = %s ORDER BY seq LIMIT 1""",
        [projection, event_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("no such record is parked: see `dlq list`", projection=projection, event_id=event_id)
    return Content(DeadLetter(*row[:8]), row[8], bytes(row[9]), row[10])


async def redrive(conn: Connection, projection: Projection, avro: Avro, record_key: str) -> int:
    """Fold all parked records of a key, in order, all or none. Returns how many. The caller commits.

    The fold may be far past them; its position stays. Raises `Poison` if the fold still cannot apply one, and
    `NothingParked`, and `BuiltUnderOther`.
    """
    async with conn.transaction():
        await _take_turns(conn, projection, record_key)
        await built_under.keep(conn, settings_of([projection]))
        taken = await _take(conn, projection, avro, record_key)
        events = given(projection, taken)  # another build may have parked types that this one does not name
        await write_changes(conn, projection, projection.fold(await load_rows(conn, projection, events), events))
    return len(taken)


async def _take_turns(conn: Connection, projection: Projection, record_key: str) -> None:
    """Take the turns that the worker takes for this key, so that both never change a row at the same time.

    Takes all turns of the projection: if its topic has grown since, the key may be on another partition now.
    """
    cursor = await conn.execute(
        """SELECT topic, partition FROM fold_position WHERE projection = %s
           UNION SELECT topic, partition FROM dead_letter WHERE projection = %s AND record_key = %s""",
        [projection.name, projection.name, record_key],
    )
    await take_turns(conn, {turn(projection, topic, partition) for topic, partition in await cursor.fetchall()})


async def _take(conn: Connection, projection: Projection, avro: Avro, record_key: str) -> list[PublicRecord]:
    cursor = await conn.execute(
        """DELETE FROM dead_letter WHERE projection = %s AND record_key = %s
           RETURNING topic, partition, record_offset, record_key, headers, value, seq""",
        [projection.name, record_key],
    )
    rows: Sequence[Any] = sorted(await cursor.fetchall(), key=lambda row: row[6])
    if not rows:
        raise NothingParked(projection.name, record_key)
    return [_event(row, avro) for row in rows]


async def discard(conn: Connection, projection: str, event_id: str) -> int:
    """Give up one parked record for ever. Returns how many rows were deleted (0 or 1). Records that wait behind it stay
    parked."""
    cursor = await conn.execute(
        "DELETE FROM dead_letter WHERE projection = %s AND event_id = %s", [projection, event_id]
    )
    return cursor.rowcount


def _event(row: Sequence[Any], avro: Avro) -> PublicRecord:
    topic, partition, offset, key, headers, value, _ = row
    record = KeptRecord(offset, key.encode(), bytes(value), headers_of(headers))
    return PublicRecord(topic, partition, record, avro.decode(bytes(value)))
