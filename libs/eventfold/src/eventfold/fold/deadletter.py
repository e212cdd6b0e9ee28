"""Parked records: records that a projection cannot apply, with their original bytes, and the records that must wait
behind them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from eventfold import telemetry
from eventfold.errors import EventfoldError
from eventfold.fold.readmodel import PublicRecord
from eventfold.postgres.sessions import Connection

MAX_PARKED_RECORDS = 1000
MAX_PARKED_BYTES = 64 * 1024 * 1024
"""Limit for all parked values of a projection. The values of one key are redriven together, in memory."""
MAX_REASON_CHARS = 1000


class TooManyParked(EventfoldError):
    """A projection would park more than an operator can look through, or more than a redrive can hold in memory. The
    worker halts instead. `records` and `bytes` are the totals that would be parked."""

    def __init__(self, projection: str, parked: Parked) -> None:
        super().__init__(
            f"{projection} would have {parked.records} parked records of {parked.bytes} bytes; its limits are "
            f"{MAX_PARKED_RECORDS} records and {MAX_PARKED_BYTES} bytes: correct the fold, then `dlq redrive` or "
            "`dlq discard`, and the worker goes on at its next start"
        )
        self.projection = projection
        self.records, self.bytes = parked


class Parked(NamedTuple):
    """How many records a projection has parked, and the bytes of their values."""

    records: int
    bytes: int


async def parked_now(conn: Connection) -> dict[str, Parked]:
    """The parked records of each projection that has any. Reads no values."""
    cursor = await conn.execute(
        "SELECT projection, count(*), sum(octet_length(value))::bigint FROM dead_letter GROUP BY projection"
    )
    return {name: Parked(records, size) for name, records, size in await cursor.fetchall()}


def show_parked(projections: Iterable[str], parked: Mapping[str, Parked]) -> None:
    """Set the gauges of parked records, for these projections and for any other that has some."""
    for name in {*projections, *parked}:
        found = parked.get(name, Parked(0, 0))
        telemetry.PARKED_RECORDS.labels(name).set(found.records)
        telemetry.PARKED_BYTES.labels(name).set(found.bytes)


async def held_keys(conn: Connection, projections: Sequence[str]) -> dict[str, set[str]]:
    """The keys of each projection that have a parked record: later records of these keys must wait behind it. There are
    at most `MAX_PARKED_RECORDS` of them."""
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
    """Park records in the fold's own transaction. Raises `TooManyParked` above `MAX_PARKED_RECORDS` or
    `MAX_PARKED_BYTES`."""
    if not events:
        return
    parked = (await parked_now(conn)).get(projection, Parked(0, 0))
    would_be = Parked(parked.records + len(events), parked.bytes + sum(len(event.value) for event in events))
    if would_be.records > MAX_PARKED_RECORDS or would_be.bytes > MAX_PARKED_BYTES:
        raise TooManyParked(projection, would_be)
    for event in events:
        await conn.execute(
            """INSERT INTO dead_letter (projection, topic, partition, record_offset, seq, record_key, event_id, reason,
                                        headers, value, parked_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())""",
            [
                projection,
                event.topic,
                event.partition,
                event.offset,
                event.seq,
                event.key,
                event.id,
                _printable(reason),
                orjson.dumps(kept_headers(event.headers)).decode(),
                event.value,
            ],
        )
    telemetry.DEAD_LETTERS.labels(projection).inc(len(events))


def kept_headers(headers: Mapping[str, bytes]) -> dict[str, Any]:
    """Headers as jsonb stores them: as text, or as an object with base64 if the bytes are not text that jsonb
    accepts."""
    return {_printable(name): _kept(value) for name, value in headers.items()}


def headers_of(kept: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """Inverse of `kept_headers`."""
    return [
        (name, value.encode() if isinstance(value, str) else base64.b64decode(value["base64"]))
        for name, value in kept.items()
    ]


def _kept(value: bytes) -> Any:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\x00"
    return {"base64": base64.b64encode(value).decode()} if "\x00" in text else text


def _printable(text: str) -> str:
    """Text that PostgreSQL accepts, with at most `MAX_REASON_CHARS` characters."""
    return text[:MAX_REASON_CHARS].encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
