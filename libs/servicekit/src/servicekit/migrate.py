"""Forward-only migrations by Alembic, in the service's own schema. The version is checked at every start."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from eventfold.postgres import schema

log = logging.getLogger(__name__)

ENVIRONMENT = Path(__file__).parent / "migration_env"


class Versions(NamedTuple):
    """The service's migration, and the version of eventfold's own tables."""

    service: str | None
    eventfold: int | None

    def __str__(self) -> str:
        return f"migration {self.service} (eventfold {self.eventfold})"


class SchemaBehind(Exception):
    """The database has an older version than this build: run the service's `prepare`."""

    def __init__(self, found: Versions, wanted: Versions) -> None:
        super().__init__(f"the database is at {found}, this build needs {wanted}; run `prepare` first")
        self.found = found
        self.wanted = wanted


class Step(NamedTuple):
    """The names that Alembic looks for in a migration's module. Assign them there in this order."""

    revision: str
    down_revision: str | None
    upgrade: Callable[[], None]
    downgrade: Callable[[], None]


def step(revision: str, after: str | None, then: str) -> Step:
    """The migration `revision`, which follows `after`. Runs the statements of the script `then`, all in one
    transaction."""

    def upgrade() -> None:
        execute = op.get_bind().exec_driver_sql
        for statement in schema.statements(then):
            execute(statement)

    def downgrade() -> None:
        raise RuntimeError("migrations only go forward")

    return Step(revision, after, upgrade, downgrade)


def query_of(connection: Connection) -> schema.Query:
    """The query function that `eventfold.postgres.schema` needs."""

    def query(statement: str) -> Sequence[Sequence[Any]]:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []

    return query


def _config(url: str, migrations: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ENVIRONMENT))
    config.set_main_option("version_locations", str(migrations))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = _sqlalchemy_url(url)
    return config


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def migrate(url: str, migrations: Path) -> None:
    """Bring eventfold's own tables to their newest version, then the database to the service's newest migration.

    Blocking. Safe to run twice, and at the same time (it takes a lock). A database that a newer build has migrated is
    left as it is: migrations only go forward, and an older build works with it.
    """
    found, wanted = _versions(url, migrations)
    if found.service and wanted.service and found.service > wanted.service:
        log.warning("the database is at %s of a newer build; this one has %s", found, wanted)
        return
    command.upgrade(_config(url, migrations), "head")


def check_version(url: str, migrations: Path) -> None:
    """Raise `SchemaBehind` unless the database has the newest versions of this build, or later ones. Blocking."""
    found, wanted = _versions(url, migrations)
    if (found.service or "") < (wanted.service or "") or (found.eventfold or 0) < schema.VERSION:
        raise SchemaBehind(found, wanted)


def _versions(url: str, migrations: Path) -> tuple[Versions, Versions]:
    """The versions of the database, and the newest ones of this build. Later migrations have higher names."""
    wanted = ScriptDirectory.from_config(_config(url, migrations)).get_current_head()
    engine = create_engine(_sqlalchemy_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
        return Versions(present, schema.version(query_of(connection))), Versions(wanted, schema.VERSION)
