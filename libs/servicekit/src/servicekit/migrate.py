"""Forward-only migrations by Alembic, in the service's own schema; the version is checked at every start."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from eventfold import schema

log = logging.getLogger(__name__)

ENVIRONMENT = Path(__file__).parent / "migration_env"


class SchemaBehind(Exception):
    """The database has another version than this build: run the service's `prepare`."""

    def __init__(self, found: str | None, wanted: str | None) -> None:
        super().__init__(f"the database is at migration {found}, this build needs {wanted}; run `prepare` first")
        self.found = found
        self.wanted = wanted


class Step(NamedTuple):
    """What Alembic looks for in a migration's module, in this order: let it be assigned there."""

    revision: str
    down_revision: str | None
    upgrade: Callable[[], None]
    downgrade: Callable[[], None]


def step(revision: str, after: str | None, *, tables: int | None = None, then: str = "") -> Step:
    """The migration `revision`, which follows on `after`: brings eventfold's own tables to version `tables`, and runs
    the statements of the script `then`, all in one transaction."""

    def upgrade() -> None:
        execute = op.get_bind().exec_driver_sql
        if tables is not None:
            schema.upgrade(execute, tables)
        for statement in schema.statements(then):
            execute(statement)

    def downgrade() -> None:
        raise RuntimeError("migrations only go forward")

    return Step(revision, after, upgrade, downgrade)


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
    """Bring the database to the newest migration. Blocking; safe to run twice and at once (it takes a lock). A database
    that a newer build has migrated is left as it is: migrations only go forward, and an older build works with it."""
    found, wanted = _versions(url, migrations)
    if found is not None and wanted is not None and found > wanted:
        log.warning("the database is at migration %s of a newer build; this one has %s", found, wanted)
        return
    command.upgrade(_config(url, migrations), "head")


def check_version(url: str, migrations: Path) -> None:
    """Raise `SchemaBehind` unless the database is at the newest migration of this build, or beyond. Blocking."""
    found, wanted = _versions(url, migrations)
    if found is None or wanted is None or found < wanted:
        raise SchemaBehind(found, wanted)


def _versions(url: str, migrations: Path) -> tuple[str | None, str | None]:
    """The migration that the database is at, and the newest of this build; later ones have higher names."""
    wanted = ScriptDirectory.from_config(_config(url, migrations)).get_current_head()
    engine = create_engine(_sqlalchemy_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), wanted
