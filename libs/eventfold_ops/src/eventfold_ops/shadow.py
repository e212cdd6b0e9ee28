"""A shadow of one projection: the same tables, empty, in a schema beside the live one, with their own positions.

The tables keep their names, and so do their constraints and indexes. After the swap they cannot be told from the old
ones, and later migrations find the names that they expect.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from eventfold import Connection, Projection
from eventfold.errors import EventfoldError

KEPT_BY_PROJECTION = ("fold_position", "dead_letter", "built_under")
MAX_IDENTIFIER_BYTES = 63
FOLDED_BY = "folded_by"
"""A table of the shadow schema: which build began to fold each projection there, and under which settings."""

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
_SHAPE = """SELECT attname, atttypid, attnotnull FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
_EXISTS = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
_BUILDS = "CREATE TABLE IF NOT EXISTS {} (projection text PRIMARY KEY, build text NOT NULL)"
_CONSTRAINTS = """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'x') ORDER BY contype, conname"""
_INDEXES = """SELECT pg_get_indexdef(indexrelid) FROM pg_index i
WHERE indrelid = %s::regclass AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)"""


class NoShadowSchema(EventfoldError):
    """The service's role may not create the schema that a rebuild needs."""

    def __init__(self, shadow: str, role: str) -> None:
        super().__init__(
            f"schema {shadow} is missing; as an administrator: CREATE SCHEMA {shadow} AUTHORIZATION {role}"
        )
        self.shadow = shadow


class NotAShadow(EventfoldError):
    """The schema for the shadow cannot be used, or belongs to another installation: a rebuild drops tables there."""

    def __init__(self, shadow: str, reason: str) -> None:
        super().__init__(f"schema {shadow} {reason}")
        self.shadow = shadow


@dataclass(frozen=True, slots=True)
class Shadow:
    """The schemas of a projection and of its shadow."""

    projection: Projection
    live: str
    shadow: str

    def named(self, schema: str, table: str) -> sql.Identifier:
        """The table, with its schema."""
        return sql.Identifier(schema, table)

    @property
    def tables(self) -> list[str]:
        """The projection's own tables."""
        return [table.name for table in self.projection.tables]


async def beside(conn: Connection, projection: Projection) -> Shadow:
    """The shadow of a projection, beside the connection's schema. Raises `NoShadowSchema`. Raises `NotAShadow` if that
    schema is an installation of its own, or if PostgreSQL would cut its name."""
    row = await (await conn.execute("SELECT current_schema(), current_user")).fetchone()
    live, role = row or ("public", "")
    found = Shadow(projection, live, f"{live}_shadow")
    if len(found.shadow.encode()) > MAX_IDENTIFIER_BYTES:
        raise NotAShadow(found.shadow, f"would have a name of more than {MAX_IDENTIFIER_BYTES} bytes; rename {live}")
    if await _is_there(conn, found.shadow, "events"):
        raise NotAShadow(found.shadow, "has an event store of its own: it is another installation; rename one of them")
    if await (await conn.execute(_EXISTS, [found.shadow])).fetchone() is None:
        try:
            await conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(found.shadow)))
        except InsufficientPrivilege as refused:
            raise NoShadowSchema(found.shadow, role) from refused
    return found


async def create(conn: Connection, one: Shadow, build: str) -> None:
    """Create the missing parts of the shadow, and record in it the settings under which it is folded. The remains of a
    killed rebuild are kept, unless a migration came between, or another build or other settings folded them."""
    async with conn.transaction():
        if await _is_outdated(conn, one):
            await _drop_all(conn, one)
        settings = sorted(one.projection.built_under.items())
        await _begin_anew_unless(conn, one, " ".join([build, *(f"{name}={value}" for name, value in settings)]))
        for table in KEPT_BY_PROJECTION:
            await conn.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} (LIKE {} INCLUDING ALL)").format(
                    one.named(one.shadow, table), one.named(one.live, table)
                )
            )
        for table in one.tables:
            if not await _is_there(conn, one.shadow, table):
                await _copy_shape(conn, one, table)
        for name, value in settings:
            note = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s) ON CONFLICT DO NOTHING")
            recorded = one.named(one.shadow, "built_under")
            await conn.execute(note.format(recorded), [one.projection.name, name, value])


async def _begin_anew_unless(conn: Connection, one: Shadow, build: str) -> None:
    """Drop the shadow unless this build (with its settings) began it, and mark it as this build's."""
    builds = one.named(one.shadow, FOLDED_BY)
    await conn.execute(sql.SQL(_BUILDS).format(builds))
    began = await conn.execute(
        sql.SQL("SELECT build FROM {} WHERE projection = %s").format(builds), [one.projection.name]
    )
    if await began.fetchone() != (build,):
        await drop(conn, one)
        await conn.execute(sql.SQL("INSERT INTO {} VALUES (%s, %s)").format(builds), [one.projection.name, build])


async def _is_outdated(conn: Connection, one: Shadow) -> bool:
    """Whether some table of the shadow has another shape than the live one."""
    return any(
        [
            await _shape(conn, one, one.shadow, table) != await _shape(conn, one, one.live, table)
            for table in (*KEPT_BY_PROJECTION, *one.tables)
            if await _is_there(conn, one.shadow, table)
        ]
    )


async def _shape(conn: Connection, one: Shadow, schema: str, table: str) -> list[tuple[object, ...]]:
    return await (await conn.execute(_SHAPE, [one.named(schema, table).as_string(conn)])).fetchall()


async def _drop_all(conn: Connection, one: Shadow) -> None:
    """Drop the tables of every projection: rows without their positions would be folded into a second time."""
    for (table,) in await (await conn.execute(_TABLES, [one.shadow])).fetchall():
        await conn.execute(sql.SQL("DROP TABLE {}").format(one.named(one.shadow, table)))


async def _is_there(conn: Connection, schema: str, table: str) -> bool:
    found = await conn.execute("SELECT to_regclass(%s)", [f'"{schema}"."{table}"'])
    row = await found.fetchone()
    return bool(row and row[0])


async def _copy_shape(conn: Connection, one: Shadow, table: str) -> None:
    """Columns, defaults and checks by LIKE; keys and indexes by their definitions, because LIKE would rename them."""
    live, shadow = one.named(one.live, table), one.named(one.shadow, table)
    await conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES)").format(shadow, live))
    quoted = live.as_string(conn)
    for name, definition in await (await conn.execute(_CONSTRAINTS, [quoted])).fetchall():
        await conn.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(shadow, sql.Identifier(name)) + sql.SQL(definition)
        )
    for (definition,) in await (await conn.execute(_INDEXES, [quoted])).fetchall():
        head, rest = definition.split(" ON ", 1)
        method = rest[rest.index(" USING ") :]
        await conn.execute(sql.SQL(head + " ON ") + shadow + sql.SQL(method))


async def drop(conn: Connection, one: Shadow) -> None:
    """Remove the shadow's tables, positions and parked records. Safe to repeat."""
    async with conn.transaction():
        for table in one.tables:
            await conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(one.named(one.shadow, table)))
        for table in (*KEPT_BY_PROJECTION, FOLDED_BY):
            if await _is_there(conn, one.shadow, table):
                await _forget(conn, one, one.shadow, table)


async def swap(conn: Connection, one: Shadow) -> None:
    """Make the shadow the served projection, in the caller's transaction, which holds the projection's turns. From then
    on the settings of the shadow are those under which the projection was built."""
    for table in one.tables:
        await conn.execute(sql.SQL("DROP TABLE {}").format(one.named(one.live, table)))
        await conn.execute(
            sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(one.named(one.shadow, table), sql.Identifier(one.live))
        )
    for table in KEPT_BY_PROJECTION:
        await _forget(conn, one, one.live, table)
        await _move(conn, one, table)
        await _forget(conn, one, one.shadow, table)


async def _forget(conn: Connection, one: Shadow, schema: str, table: str) -> None:
    statement = sql.SQL("DELETE FROM {} WHERE projection = %s").format(one.named(schema, table))
    await conn.execute(statement, [one.projection.name])


async def _move(conn: Connection, one: Shadow, table: str) -> None:
    statement = sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE projection = %s").format(
        one.named(one.live, table), one.named(one.shadow, table)
    )
    await conn.execute(statement, [one.projection.name])
