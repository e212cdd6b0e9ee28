"""Compares two copies of a read table: exact columns by a hash of the content, floats within 1e-8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from eventfold import Connection, ReadTable

FLOAT_TOLERANCE = 1e-8
"""Absolute below 1, relative above."""
KEYS_SHOWN = 5

# Of a swept table the oldest rows may be gone: what is not newer than the oldest live row is left out on both sides.
# The sweep goes by time, so it may have taken some of the rows with the oldest time, and some not.
_KEPT = sql.SQL("(SELECT * FROM {table} WHERE {by} > coalesce((SELECT min({by}) FROM {live}), '-infinity'))")
# Sums of two hashes with different seeds: the order does not matter, and only one row at a time is in memory.
_HASH = """SELECT count(*), coalesce(sum(hashtextextended(row_text, 0)::numeric), 0)::text || '/' ||
coalesce(sum(hashtextextended(row_text, 1)::numeric), 0)::text
FROM (SELECT ROW({columns})::text AS row_text FROM {table} t) r"""
_EXACT_DIFFERENT = """SELECT DISTINCT {keys} FROM (
(SELECT {columns} FROM {live} l EXCEPT SELECT {columns} FROM {shadow} s) UNION ALL
(SELECT {columns} FROM {shadow} s EXCEPT SELECT {columns} FROM {live} l)) d ORDER BY {keys} LIMIT %s"""
_FLOAT_DIFFERENT = """SELECT {keys} FROM {live} l JOIN {shadow} s USING ({keys})
WHERE {apart} ORDER BY {keys} LIMIT %s"""
# Strictly less: otherwise infinity and NaN would lie within the tolerance that they widen themselves. PostgreSQL treats
# each as equal to itself.
_APART = """(l.{c} IS DISTINCT FROM s.{c}
AND NOT coalesce(abs(l.{c} - s.{c}) < {tolerance} * greatest(1, abs(l.{c}), abs(s.{c})), false))"""


@dataclass(frozen=True, slots=True)
class Compared:
    """One table: its row count and content hash, live and in the shadow, and the keys of some rows that differ."""

    table: str
    live_rows: int
    live_hash: str
    shadow_rows: int
    shadow_hash: str
    different: tuple[tuple[Any, ...], ...]

    @property
    def equal(self) -> bool:
        """Whether both copies are the same."""
        return (self.live_rows, self.live_hash) == (self.shadow_rows, self.shadow_hash) and not self.different


async def compare(conn: Connection, table: ReadTable[Any], live: str, shadow: str) -> Compared:
    """Compare a table in two schemas; reads both copies whole. The caller makes sure that neither changes meanwhile. Of
    a table that is swept, the rows that are older than all live ones are not compared."""
    floats = [name for name, (kind, _) in zip(table.columns, table.types, strict=True) if kind == "double precision"]
    exact = [name for name in table.columns if name not in floats]
    sides = _sides(table, sql.Identifier(live, table.name), sql.Identifier(shadow, table.name))
    live_rows, live_hash = await _hash(conn, exact, sides["live"])
    shadow_rows, shadow_hash = await _hash(conn, exact, sides["shadow"])
    different: list[tuple[Any, ...]] = []
    if (live_rows, live_hash) != (shadow_rows, shadow_hash):
        different = await _rows(conn, _EXACT_DIFFERENT, columns=_names(exact), keys=_names(table.key_columns), **sides)
    elif floats:
        apart = sql.SQL(" OR ").join(
            sql.SQL(_APART).format(c=sql.Identifier(name), tolerance=sql.Literal(FLOAT_TOLERANCE)) for name in floats
        )
        different = await _rows(conn, _FLOAT_DIFFERENT, apart=apart, keys=_names(table.key_columns), **sides)
    return Compared(
        table=table.name,
        live_rows=live_rows,
        live_hash=live_hash,
        shadow_rows=shadow_rows,
        shadow_hash=shadow_hash,
        different=tuple(different),
    )


def _sides(table: ReadTable[Any], live: sql.Identifier, shadow: sql.Identifier) -> dict[str, sql.Composable]:
    if not table.swept_by:
        return {"live": live, "shadow": shadow}
    by = sql.Identifier(table.swept_by)
    return {name: _KEPT.format(table=side, by=by, live=live) for name, side in (("live", live), ("shadow", shadow))}


def _names(columns: Any) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


async def _hash(conn: Connection, columns: list[str], table: sql.Composable) -> tuple[int, str]:
    row = await (await conn.execute(sql.SQL(_HASH).format(columns=_names(columns), table=table))).fetchone()
    return (row[0], row[1]) if row else (0, "")


async def _rows(conn: Connection, query: Any, **parts: sql.Composable) -> list[tuple[Any, ...]]:
    return await (await conn.execute(sql.SQL(query).format(**parts), [KEYS_SHOWN])).fetchall()
