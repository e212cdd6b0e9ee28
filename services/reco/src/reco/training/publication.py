"""Trained factors in PostgreSQL: published by the process that trains, taken up by all that serve.

They are no fact: lost, they are trained again. Only the newest are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NamedTuple

from eventfold import Connection
from reco.model.state import version_of
from reco.training.factors import MAX_BYTES, FactorsRefused, Trained, from_bytes, to_bytes

CHUNK_BYTES: Final = 1 << 20
_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_NEWEST: Final = "SELECT version, chunks, bytes FROM trained_factors ORDER BY published_at DESC, version LIMIT 1"
_CHUNK: Final = "SELECT body FROM trained_factors_chunk WHERE version = %s AND number = %s"
_ONE_AT_A_TIME: Final = "LOCK TABLE trained_factors IN SHARE ROW EXCLUSIVE MODE"
_EMPTY: Final = "DELETE FROM trained_factors"
_SAVE: Final = """INSERT INTO trained_factors (version, engine, positions, items, dimensions, chunks, bytes, took_ms)
VALUES (%(version)s, %(engine)s, %(positions)s, %(items)s, %(dimensions)s, %(chunks)s, %(bytes)s, %(took_ms)s)"""
_SAVE_CHUNK: Final = "INSERT INTO trained_factors_chunk (version, number, body) VALUES (%s, %s, %b)"


class Published(NamedTuple):
    """What stands in the tables, or in a file, of one training. `took_ms` is how long the training took."""

    version: str
    engine: str
    items: int
    features: int
    tastes: int
    dimensions: int
    bytes: int
    took_ms: int


async def publish(conn: Connection, trained: Trained, took_ms: int) -> Published:
    """Put factors in the place of those that are there, in one transaction. Servers read the old ones until then."""
    body = to_bytes(trained)
    said = described(trained, body, took_ms)
    chunks = list(_chunks(body))
    row = {**said._asdict(), "positions": json.dumps(trained.origin.positions), "chunks": len(chunks)}
    async with conn.transaction():
        await conn.execute(_ONE_AT_A_TIME)
        await conn.execute(_EMPTY)
        await conn.execute(_SAVE, row)
        for number, chunk in enumerate(chunks):
            await conn.execute(_SAVE_CHUNK, [said.version, number, chunk])
    return said


async def newest(conn: Connection, known: str = "") -> tuple[str, Trained] | None:
    """The published factors with their version; None if there are none, or they are those known already. Raises
    `FactorsRefused`. Reads one chunk at a time; the connection must not be in a transaction."""
    async with conn.transaction():
        await conn.execute(_SNAPSHOT)
        row = await (await conn.execute(_NEWEST)).fetchone()
        if row is None or row[0] == known:
            return None
        version, chunks, size = row
        if size > MAX_BYTES or chunks > MAX_BYTES // CHUNK_BYTES:
            raise FactorsRefused(f"the factors are {size:,} bytes, and {MAX_BYTES:,} are the most")
        body = bytearray()
        for number in range(chunks):
            found = await (await conn.execute(_CHUNK, [version, number], binary=True)).fetchone()
            body += found[0] if found else b""
    if version_of(body) != version:
        raise FactorsRefused("the factors are not those of their version")
    return version, from_bytes(bytes(body))


def described(trained: Trained, body: bytes, took_ms: int) -> Published:
    """What is said of factors and their bytes."""
    return Published(
        version=version_of(body),
        engine=trained.engine,
        items=len(trained.items.names),
        features=len(trained.features.names),
        tastes=len(trained.tastes.names),
        dimensions=trained.dimensions,
        bytes=len(body),
        took_ms=took_ms,
    )


def _chunks(body: bytes) -> Iterator[bytes]:
    return (body[low : low + CHUNK_BYTES] for low in range(0, len(body), CHUNK_BYTES))
