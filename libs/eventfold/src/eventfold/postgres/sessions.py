"""Settings of every session of a service, independent of its role, its database and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import psycopg
from psycopg.sql import SQL
from psycopg_pool import AsyncConnectionPool

Connection = psycopg.AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]

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
"""Settings that decide how values are read and written, and whether a writer that waited sees the changes it waited
for."""

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


async def connect(url: str) -> Connection:
    """A new connection, in autocommit mode and with the fixed settings."""
    conn = await psycopg.AsyncConnection.connect(url, autocommit=True)
    await fix(conn)
    return conn


async def fix(conn: Connection, options: Mapping[str, str] = _NONE) -> None:
    """Set `FIXED`, and `options` beside it, for the whole session. One round trip; the connection must not be in a
    transaction."""
    settings = {**options, **dict(FIXED)}
    each = SQL(", ").join(SQL("set_config({}, {}, false)").format(name, value) for name, value in settings.items())
    await conn.execute(SQL("SELECT {}").format(each))
