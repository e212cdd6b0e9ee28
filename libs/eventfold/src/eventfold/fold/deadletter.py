"""Parked records: what a projection cannot apply, with its original bytes, and what must wait behind it."""

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
"""Of all values that a projection has parked: those of one key are redriven together, in memory."""
MAX_REASON_CHARS = 1000


class TooManyParked(EventfoldError):
    """More is parked than an operator can be expected to look through, or a redrive to hold: the worker halts instead.
    `records` and `bytes` are what would be parked."""

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
    """What is parked of each projection that has anything parked. Reads no values."""
    cursor = await conn.execute(
        "SELECT projection, count(*), sum(octet_length(value))::bigint FROM dead_letter GROUP BY projection"
    )
    return {name: Parked(records, size) for name, records, size in await cursor.fetchall()}


def show_parked(projections: Iterable[str], parked: Mapping[str, Parked]) -> None:
    """Set the gauges of what is parked now, of these projections and of any other that has something parked."""
    for name in {*projections, *parked}:
        found = parked.get(name, Parked(0, 0))
        telemetry.PARKED_RECORDS.labels(name).set(found.records)
        telemetry.PARKED_BYTES.labels(name).set(found.bytes)


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
    """Set records aside in the fold's own transaction. Raises `TooManyParked` above `MAX_PARKED_RECORDS` or
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
    """Headers as jsonb keeps them: text, or base64 in an object where the bytes are no text that it takes."""
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
    """Text that PostgreSQL takes, of at most `MAX_REASON_CHARS` characters."""
    return text[:MAX_REASON_CHARS].encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
