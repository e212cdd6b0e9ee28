"""Events as rows of the table `events`: the statements that read and write them, and the conversions both ways."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from eventfold.measured.arrays import literals
from eventfold.postgres import locks
from eventfold.vocabulary.codec import EventCodec
from eventfold.vocabulary.decider import Recorded
from eventfold.write.recordable import check_envelope, check_size

COLUMNS = "stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta, position"
# The function locks the names that it is given, in their order, whichever schema asks. So the names contain the schema.
LOAD_IN_TURN = f"""SELECT {COLUMNS} FROM events_in_turn(
  ARRAY(SELECT {locks.qualified("stream", "one")} FROM unnest(%s::text[]) WITH ORDINALITY AS t(one, n) ORDER BY n),
  %s, %s, %s)"""
# For events that are already known, only their existence is read, to check that they are still there.
LOAD = f"""SELECT {COLUMNS.replace("data", "CASE WHEN version > seen THEN data END")}
FROM events JOIN unnest(%s::text[], %s::int[], %s::int[]) AS w(stream, known, seen) USING (stream)
WHERE version > known AND version <= known::bigint + %s ORDER BY stream, version"""
STREAM, VERSION, RECORDED_AT = map(COLUMNS.split(", ").index, ("stream", "version", "recorded_at"))
StoredRow = tuple[Any, ...]
"""An event with the columns of `COLUMNS`, and its `seq` if that is asked for."""

# The `seq` of an event, if its run reaches that far: within a run, position and `seq` grow in equal steps.
NUMBER = """LATERAL (SELECT first_seq + (events.position - first_position) AS seq, first_position + length AS above
  FROM sequence_run WHERE first_position <= events.position ORDER BY first_position DESC LIMIT 1) AS run"""
AT = f"SELECT {COLUMNS}, seq FROM events LEFT JOIN {NUMBER} ON position < above WHERE position = %s"
# Numbers are dense except for those that a history has left out. If left-out numbers come next, reading goes on after
# them. So the bounds are known, and also the run in which they begin. The limit tells the planner that there are few
# runs to read, however many there are in total.
_RUN_OF_NEXT = """(SELECT first_seq + length FROM sequence_run WHERE first_seq <= %(after)s::bigint + 1
    ORDER BY first_seq DESC LIMIT 1) > %(after)s::bigint + 1"""
AFTER = f"""SELECT {{}} FROM events JOIN {NUMBER} ON position < above WHERE position = ANY (ARRAY(
  SELECT first_position + n FROM (SELECT CASE WHEN {_RUN_OF_NEXT} THEN %(after)s::bigint
    ELSE (SELECT min(first_seq) - 1 FROM sequence_run WHERE first_seq > %(after)s::bigint) END AS after) AS bound,
  LATERAL (
    SELECT * FROM sequence_run WHERE first_seq <= bound.after + %(rows)s AND first_seq >= coalesce(
      (SELECT max(first_seq) FROM sequence_run WHERE first_seq <= bound.after + 1), 1)
    ORDER BY first_seq LIMIT %(rows)s
  ) AS run, generate_series(
    greatest(0, bound.after + 1 - first_seq), least(length, bound.after + 1 + %(rows)s - first_seq) - 1
  ) AS n
)) ORDER BY seq"""
SIZES = AFTER.format("coalesce(octet_length(public_value), 0) + pg_column_size(data)")
IDS = f"""SELECT seq, stream, version FROM events JOIN {NUMBER} ON position < above WHERE position = ANY (ARRAY(
  SELECT first_position + wanted - first_seq FROM unnest(%s::bigint[]) AS w(wanted), LATERAL (
    SELECT * FROM sequence_run WHERE first_seq <= wanted ORDER BY first_seq DESC LIMIT 1
  ) AS run WHERE wanted < first_seq + length))"""
"""The stream and version of each event that has one of the given numbers."""
LAST_SEQ = """greatest((SELECT max(first_seq) - 1 FROM history), (SELECT max(seq) FROM void_seq),
  (SELECT first_seq + length - 1 FROM sequence_run ORDER BY first_seq DESC LIMIT 1))"""
"""The highest number given so far, or left out by a history that begins above it."""

FIELDS = "stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta, public_value"
ONE = f"INSERT INTO events ({FIELDS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING position"
MANY = f"""INSERT INTO events ({FIELDS}) SELECT {FIELDS}
FROM unnest(%s::text[], %s::int[], %s::text[], %s::smallint[], %s::text[]::jsonb[], %s::text[],
            %s::timestamptz[], %s::timestamptz[], %s::text[]::jsonb[], %s::bytea[])
WITH ORDINALITY AS t({FIELDS}, n) ORDER BY n RETURNING position"""
_KINDS = ("text", "int", "text", "smallint", "text", "text", "timestamptz", "timestamptz", "text", "bytea")


def recorded(codec: EventCodec, row: Sequence[Any]) -> Recorded:
    """A stored row (with the columns of `COLUMNS`, perhaps with a `seq`) with its event decoded and upcast."""
    stream, version, name, schema_version, data, *place = row
    return Recorded(stream, version, codec.decode(name, schema_version, data), name, *place)


def insertion(rows: Sequence[tuple[Any, ...]]) -> tuple[str, Sequence[Any]]:
    """The statement and its arguments: a single row as plain values, which is cheaper; several rows as arrays."""
    return (ONE, rows[0]) if len(rows) == 1 else (MANY, columns(rows))


def columns(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """The rows of `FIELDS` turned into columns, as `MANY` takes them."""
    return literals(_KINDS, rows)


def size_bytes(row: StoredRow) -> int:
    """The approximate size of a row of `FIELDS`: its data as JSON, and its public value."""
    return len(row[_DATA]) + len(row[_PUBLIC_VALUE] or b"")


_DATA, _PUBLIC_VALUE = map(FIELDS.split(", ").index, ("data", "public_value"))


def row_of(codec: EventCodec, event: Recorded, value_of: Callable[[Recorded], bytes | None]) -> StoredRow:
    """The values of `FIELDS`; `value_of` returns the public value. Raises `Unrecordable` if they would not be read back
    unchanged, and the errors of `value_of`."""
    meta = check_envelope(event)
    name, schema_version, data = codec.encode(event.event)
    written = orjson.dumps(data)
    check_size(event, written)
    return (
        event.stream,
        event.version,
        name,
        schema_version,
        written.decode(),
        event.partition_key,
        event.occurred_at,
        event.recorded_at,
        meta.decode(),
        value_of(event),
    )


async def bounded(conn: Any, after: int, rows: int, size_bytes: int) -> int:
    """How many events after a number fit in `rows` and `size_bytes` together. The first event always counts."""
    sizes = await (await conn.execute(SIZES, {"after": after, "rows": rows})).fetchall()
    totals = itertools.accumulate(int(size) for (size,) in sizes)
    return max(min(1, len(sizes)), sum(total <= size_bytes for total in totals), 0)
