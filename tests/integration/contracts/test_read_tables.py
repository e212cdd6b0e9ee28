"""What migrations made is what projections declare."""

from __future__ import annotations

import importlib

import psycopg
import pytest

from eventfold import ReadTable
from lyceum_local.settings import SERVICES
from lyceum_local.stack import LocalStack
from servicekit.definition import ServiceDefinition
from servicekit.schema_version import check_version

pytestmark = pytest.mark.one_machine("a prepare of its own, with keys on this machine")

TYPES = {
    "timestamp with time zone": "timestamptz",
    "double precision": "double precision",
    "ARRAY": "array",
}


def definition_of(service: str) -> ServiceDefinition:
    definition: ServiceDefinition = importlib.import_module(f"{service}.bootstrap").DEFINITION
    return definition


def tables(definition: ServiceDefinition) -> list[ReadTable[tuple[object, ...]]]:
    return [table for projection in definition.projections for table in projection.tables]


@pytest.mark.parametrize("service", SERVICES)
def test_columns_and_keys_are_as_declared(backing: LocalStack, service: str) -> None:
    definition = definition_of(service)
    backing.prepare([service])
    check_version(backing.database_url(service), definition.migrations)
    with psycopg.connect(backing.database_url(service)) as conn:
        for table in tables(definition):
            assert _columns(conn, table.name) == sorted(table.declared), table.name
            assert _key(conn, table.name) == set(table.key_columns), table.name


def _columns(conn: psycopg.Connection[tuple[object, ...]], table: str) -> list[tuple[str, str, bool]]:
    rows = conn.execute(
        """SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns
           WHERE table_schema = current_schema() AND table_name = %s""",
        [table],
    ).fetchall()
    # In no order: what a migration adds stands last, and everything is read and written by name.
    return sorted((str(name), TYPES.get(str(kind), str(kind)), bool(nullable)) for name, kind, nullable in rows)


def _key(conn: psycopg.Connection[tuple[object, ...]], table: str) -> set[object]:
    rows = conn.execute(
        """SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
           WHERE i.indrelid = %s::regclass AND i.indisprimary""",
        [table],
    ).fetchall()
    return {row[0] for row in rows}
