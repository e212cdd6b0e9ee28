"""Drafts a migration: the statements that change the read tables from the migrations' result to the declared tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg

from eventfold import ReadTable

NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
_COLUMNS = """SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
_SPELT = {"timestamp with time zone": "timestamptz"}
_ZERO = {
    "bigint": "0",
    "double precision": "0",
    "boolean": "false",
    "text": "''",
    "jsonb": "'null'",
    "xid8": "pg_current_xact_id()",
}
"""Values in existing rows until the projection is rebuilt. A column of another type is left for a person."""
_TAKES_AWAY = re.compile(r"\b(DROP (TABLE|COLUMN|VIEW)|RENAME|ALTER COLUMN \w+ (TYPE|SET NOT NULL))\b")
"""What code of the release before may not survive."""
EXPANDS, CONTRACTS = (
    "Expands: the code before it runs on.",
    "Contracts: only after no process runs that used what goes.",
)
_MODULE = '''"""{sentence}

{note}
"""

from servicekit.migrate import step

TABLES = """
{statements};
"""

revision, down_revision, upgrade, downgrade = step("{revision}", {after}, TABLES)
'''

Column = tuple[str, str, bool]


class BadName(ValueError):
    """The name of a migration is not in snake case."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r}: name a migration in snake_case, as add_courses")


def checked_name(name: str) -> str:
    """The name. Raises `BadName`."""
    if not NAME.fullmatch(name):
        raise BadName(name)
    return name


def statements(conn: psycopg.Connection[Any], tables: Iterable[ReadTable[Any]]) -> list[str]:
    """The DDL that the connection's schema needs to have the declared tables. A person must add indexes."""
    return [statement for table in tables for statement in _of_table(table, _present(conn, table.name))]


def takes_away(made: Iterable[str]) -> bool:
    """Whether statements remove or narrow what code of the release before may use."""
    return any(_TAKES_AWAY.search(one) for one in made)


def _present(conn: psycopg.Connection[Any], table: str) -> list[Column]:
    rows = conn.execute(_COLUMNS, [table]).fetchall()
    return [(name, _SPELT.get(kind, kind), nullable) for name, kind, nullable in rows]


def _of_table(table: ReadTable[Any], present: Sequence[Column]) -> list[str]:
    if not present:
        return [table.create_sql]
    there, wanted = {one[0]: one for one in present}, {one[0]: one for one in table.declared}
    changes = [f"DROP COLUMN {name}" for name in there if name not in wanted]
    changes += [_added(*column) for name, column in wanted.items() if name not in there]
    for name, (_, kind, nullable) in wanted.items():
        if name in there and there[name][1] != kind:
            changes.append(f"ALTER COLUMN {name} TYPE {kind} USING {name}::{kind}")
        if name in there and there[name][2] != nullable:
            changes.append(f"ALTER COLUMN {name} {'DROP' if nullable else 'SET'} NOT NULL")
    return [f"ALTER TABLE {table.name} {', '.join(changes)}"] if changes else []


def _added(name: str, kind: str, nullable: bool) -> str:
    if nullable:
        return f"ADD COLUMN {name} {kind}"
    default = f" DEFAULT {_ZERO[kind]}" if kind in _ZERO else ""
    return f"ADD COLUMN {name} {kind} NOT NULL{default}"


def write(folder: Path, name: str, made: Sequence[str]) -> Path:
    """Write the next migration of `folder`, with these statements frozen, and say whether it expands or contracts.
    Raises `BadName`."""
    checked_name(name)
    last = max((file.name[:4] for file in folder.glob("[0-9][0-9][0-9][0-9]_*.py")), default=None)
    revision = f"{int(last or 0) + 1:04d}"
    file = folder / f"{revision}_{name}.py"
    text = _MODULE.format(
        sentence=name.replace("_", " ").capitalize() + ".",
        note=CONTRACTS if takes_away(made) else EXPANDS,
        statements=";\n".join(made),
        revision=revision,
        after=f'"{last}"' if last else None,
    )
    file.write_text(text, encoding="utf-8")
    return file
