"""What every session of a service has, whatever its role, its database or its environment say."""

from __future__ import annotations

from typing import Final

import psycopg

from eventfold.store import Connection

FIXED: Final = (
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("array_nulls", "on"),
    ("transform_null_equals", "off"),
    ("default_transaction_isolation", "read committed"),
)
"""What decides how values are read and written, and whether a writer that waited sees what it waited for."""

_FIX: Final = "SELECT " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in FIXED)


async def connect(url: str) -> Connection:
    """A connection of one's own, in autocommit mode and fixed."""
    conn = await psycopg.AsyncConnection.connect(url, autocommit=True)
    await fix(conn)
    return conn


async def fix(conn: Connection) -> None:
    """Set `FIXED` for as long as the session lasts. One round trip; the connection must not be in a transaction."""
    await conn.execute(_FIX)
