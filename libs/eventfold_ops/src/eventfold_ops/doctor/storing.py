"""Checks of the store: its tables, its types and keys, and the read tables beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eventfold import Connection, Projection, ReadTable
from eventfold.fold.readmodel import settings_of
from eventfold.fold.tables import CHANGED_IN
from eventfold.postgres import built_under, schema
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.finding import Finding, broken, ok, warning

_TYPES = """SELECT e.type, e.schema_version, e.data, g.count FROM
(SELECT count(*) AS count, max(position) AS position FROM events GROUP BY type, schema_version) g
JOIN events e USING (position) ORDER BY e.type, e.schema_version"""

_COLUMNS = """SELECT attname, format_type(atttypid, NULL), NOT attnotnull FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""

_KEY = """SELECT attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
WHERE i.indrelid = to_regclass(%s) AND i.indisprimary"""

_INDEXED = """SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = to_regclass(%s) AND i.indisvalid AND a.attname = %s"""

_SQL_NAMES = {"timestamp with time zone": "timestamptz"}

Column = tuple[str, str, bool]


def own_tables() -> list[str]:
    """The tables that `eventfold.postgres.schema` creates."""
    found = [re.match(r"\s*CREATE TABLE (\w+)", statement) for statement in schema.all_statements()]
    return [match[1] for match in found if match]


async def tables(conn: Connection) -> Finding:
    """Whether the migrations have run."""
    cursor = await conn.execute("SELECT t FROM unnest(%s::text[]) t WHERE to_regclass(t) IS NULL", [own_tables()])
    missing = sorted(row[0] for row in await cursor.fetchall())
    if missing:
        return broken("tables", f"missing: {', '.join(missing)}", "run the service's `prepare`")
    return ok("tables", "all there")


async def types(conn: Connection, deployment: Deployment) -> list[Finding]:
    """Whether this build reads every stored type and version: decodes the newest event of each. Reads the whole
    table."""
    rows = await (await conn.execute(_TYPES)).fetchall()
    failures = [_undecodable(deployment, *row) for row in rows]
    advice = "deploy the build that wrote it; a build that cannot read its store must not run"
    found = [broken("stored types", failure, advice) for failure in failures if failure]
    return found or [ok("stored types", f"all {len(rows)} types and versions are known")]


def _undecodable(deployment: Deployment, name: str, version: int, data: dict[str, object], count: int) -> str:
    """Why a stored event cannot be read. Only the kind of failure, because its text may hold personal data."""
    try:
        deployment.codec.decode(name, version, data)
    except Exception as failure:  # noqa: BLE001 - whatever a codec or an upcaster raises is the finding
        return f"{count} events {name} version {version} cannot be read ({type(failure).__name__})"
    return ""


async def read_tables(conn: Connection, deployment: Deployment) -> list[Finding]:
    """Whether each read table has the columns and the key that its projection declares."""
    return [await _read_tables(conn, projection) for projection in deployment.projections]


async def _read_tables(conn: Connection, projection: Projection) -> Finding:
    check = f"read tables of {projection.name}"
    differences = [text for table in projection.tables if (text := await _difference(conn, table))]
    if differences:
        return broken(check, ", ".join(differences), "run the service's `prepare`, or write the missing migration")
    return ok(check, f"{len(projection.tables)} as declared")


async def _difference(conn: Connection, table: ReadTable[tuple[object, ...]]) -> str:
    declared = table.declared
    rows = await (await conn.execute(_COLUMNS, [table.name])).fetchall()
    found = [(name, _SQL_NAMES.get(kind, kind), nullable) for name, kind, nullable in rows]
    if not found:
        return f"{table.name} does not exist"
    # In no order: what a migration adds stands last, and everything is read and written by name.
    if differing := sorted({name for name, _, _ in {*declared} ^ {*found}}):
        return f"{table.name} differs in {', '.join(differing)}"
    key = {row[0] for row in await (await conn.execute(_KEY, [table.name])).fetchall()}
    if key != set(table.key_columns):
        return f"{table.name} has the primary key {', '.join(sorted(key))}"
    if table.followed and not await (await conn.execute(_INDEXED, [table.name, CHANGED_IN])).fetchone():
        return f"{table.name} has no index on {CHANGED_IN}"
    return ""


async def settings(conn: Connection, deployment: Deployment) -> list[Finding]:
    """Whether the read tables were built under the settings that this process has."""
    wanted = settings_of(deployment.projections)
    differing = await built_under.differences(conn, wanted)
    found = [broken(f"settings of {one.projection}", one.says, one.advice) for one in differing]
    return found or [ok("settings", f"{len(wanted)} projections depend on some, and have them as recorded")]


async def subject_keys(conn: Connection, deployment: Deployment) -> list[Finding]:
    """Whether every living subject key is wrapped by a key-encryption key that is here: by the current one, or by an
    older one during a rotation. Destroyed keys are counted."""
    cursor = await conn.execute("SELECT kek_id, count(wrapped), count(destroyed_at) FROM subject_key GROUP BY kek_id")
    rows = await cursor.fetchall()
    living, destroyed = sum(row[1] for row in rows), sum(row[2] for row in rows)
    counted = f"{living} keys, {destroyed} destroyed"
    try:
        current, known = deployment.current_kek_id(), deployment.known_kek_ids()
    except Exception as failure:  # noqa: BLE001 - whatever a key file raises is the finding
        says = f"{counted}; the current key cannot be read ({type(failure).__name__})"
        return [broken("subject keys", says, "bring the key back into KEY_DIR, readable for this account")]
    return [_unknown(living, counted) if current is None else _wrapped(rows, counted, current, known)]


def _unknown(living: int, counted: str) -> Finding:
    says, advice = f"{counted}; the current key is not known here", "run this where KEY_DIR is to compare"
    return warning("subject keys", says, advice) if living else ok("subject keys", counted)


def _wrapped(rows: Sequence[tuple[str, int, int]], counted: str, current: str, known: frozenset[str]) -> Finding:
    others = {kek_id: count for kek_id, count, _ in rows if count and kek_id != current}
    if not others:
        return ok("subject keys", f"{counted}, all wrapped by {current}")
    says = f"{counted}; {sum(others.values())} wrapped by {', '.join(sorted(others))} instead of {current}"
    if others.keys() <= known:
        return warning("subject keys", says, "the key is being replaced: run the service's `keys rotate-kek` again")
    return broken("subject keys", says, "bring the key that wrapped them back into KEY_DIR: nothing else opens them")
