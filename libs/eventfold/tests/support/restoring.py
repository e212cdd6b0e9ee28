"""A house whose store is set back to what it was, as a restored database is: tables, sequences and all."""

from __future__ import annotations

from dataclasses import dataclass, field

from house import House

TABLES = (
    "events",
    "idempotency",
    "lease",
    "relay_head",
    "fold_position",
    "dead_letter",
    "subject_key",
    "topic_generation",
    "topic_read",
    "snapshot",
    "due_date",
    "unsequenced",
    "sequence_run",
    "history",
    "shelf_count",
)
OF_STORE = tuple(one for one in TABLES if one not in ("fold_position", "topic_read", "dead_letter", "shelf_count"))
"""What an emitter has whose readers are other services."""


@dataclass
class Saved:
    """Every table as it was, by `COPY`."""

    tables: dict[str, bytes] = field(default_factory=dict)
    next_position: int = 1


async def saved(house: House) -> Saved:
    one = Saved()
    async with house.pool.connection() as conn:
        for table in TABLES:
            async with conn.cursor().copy(f"COPY {table} TO STDOUT") as rows:
                one.tables[table] = b"".join([bytes(part) async for part in rows])
        row = await (await conn.execute("SELECT coalesce(max(position), 0) + 1 FROM events")).fetchone()
        one.next_position = row[0] if row else 1
    return one


async def restored(house: House, one: Saved, tables: tuple[str, ...] = TABLES) -> None:
    async with house.pool.connection() as conn, conn.transaction():
        await conn.execute(f"TRUNCATE {', '.join(tables)}")
        await conn.execute("ALTER TABLE events DISABLE TRIGGER note_unsequenced")
        for table in tables:
            async with conn.cursor().copy(f"COPY {table} FROM STDIN") as rows:
                await rows.write(one.tables[table])
        await conn.execute("ALTER TABLE events ENABLE TRIGGER note_unsequenced")
        await conn.execute(f"ALTER TABLE events ALTER COLUMN position RESTART WITH {one.next_position}")
