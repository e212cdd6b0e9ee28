"""Migrations: one at a time in a schema, and at once in two."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from eventfold import EventCodec
from eventfold.postgres.locks import key
from servicekit.definition import ServiceDefinition
from servicekit.migrate import Misnamed, migrate
from servicekit.schema_version import SchemaBehind, check_version
from servicekit.settings import ServiceSettings
from servicekit.testing import migrated

WITHIN_S = 60.0
REVISION = """revision, down_revision = "0001", None
def upgrade():
    from alembic import op
    op.execute("CREATE TABLE made ()")
"""


async def nothing(*_: object) -> list[str]:
    return []


@pytest.fixture
def definition(tmp_path: Path) -> ServiceDefinition:
    (tmp_path / "0001_made.py").write_text(REVISION)
    return ServiceDefinition(
        name="sample",
        settings=ServiceSettings,
        migrations=tmp_path,
        codec=EventCodec({}),
        to_public=lambda _: None,
        register=nothing,
    )


async def test_a_migration_waits_for_one_of_its_schema_and_for_no_other(
    postgres_url: str, definition: ServiceDefinition
) -> None:
    lock = f"SELECT pg_advisory_xact_lock({key('migration')})"
    async with migrated(postgres_url, definition) as url, migrated(postgres_url, definition) as next_door:
        async with await psycopg.AsyncConnection.connect(next_door) as other:
            await other.execute(lock.encode())
            await asyncio.wait_for(asyncio.to_thread(migrate, url, definition.migrations), WITHIN_S)
            waiting = asyncio.create_task(asyncio.to_thread(migrate, next_door, definition.migrations))
            await asyncio.wait({waiting}, timeout=0.3)
            assert not waiting.done()
        await asyncio.wait_for(waiting, WITHIN_S)


async def test_an_older_build_works_with_what_a_newer_one_has_migrated(
    postgres_url: str, definition: ServiceDefinition, tmp_path: Path
) -> None:
    async with migrated(postgres_url, definition) as url:
        (tmp_path / "0002_more.py").write_text('revision, down_revision = "0002", "0001"\ndef upgrade():\n    pass\n')
        migrate(url, tmp_path)
        (tmp_path / "0002_more.py").unlink()
        check_version(url, tmp_path)
        migrate(url, tmp_path)


async def test_a_newer_build_refuses_what_is_not_migrated_yet(
    postgres_url: str, definition: ServiceDefinition, tmp_path: Path
) -> None:
    async with migrated(postgres_url, definition) as url:
        (tmp_path / "0002_more.py").write_text('revision, down_revision = "0002", "0001"\ndef upgrade():\n    pass\n')
        with pytest.raises(SchemaBehind, match=r"at migration 0001 \(eventfold \d+\), this build needs migration 0002"):
            check_version(url, tmp_path)


async def test_a_migration_whose_file_is_named_out_of_order_is_refused(
    postgres_url: str, definition: ServiceDefinition, tmp_path: Path
) -> None:
    async with migrated(postgres_url, definition) as url:
        (tmp_path / "0000_more.py").write_text('revision, down_revision = "0002", "0001"\ndef upgrade():\n    pass\n')
        with pytest.raises(Misnamed, match="the newest migration is 0002, but the highest file name says 0001"):
            migrate(url, tmp_path)
