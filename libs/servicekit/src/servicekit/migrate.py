"""Forward-only migrations by Alembic, in the service's own schema. The version is checked at every start."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from eventfold.postgres import schema
from servicekit.schema_version import versions

log = logging.getLogger(__name__)

ENVIRONMENT = Path(__file__).parent / "migration_env"


class Misnamed(Exception):
    """The newest migration of a folder is not the one whose file's name is highest. Carries both revisions."""

    def __init__(self, named: str | None, newest: str | None) -> None:
        super().__init__(f"the newest migration is {newest}, but the highest file name says {named}: rename the file")
        self.named = named
        self.newest = newest


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
    left as it is: migrations only go forward, and an older build works with it. Raises `Misnamed`.
    """
    config = _config(url, migrations)
    found, wanted = versions(url, migrations)
    if (head := ScriptDirectory.from_config(config).get_current_head()) != wanted.service:
        raise Misnamed(wanted.service, head)
    if found.service and wanted.service and found.service > wanted.service:
        log.warning("the database is at %s of a newer build; this one has %s", found, wanted)
        return
    command.upgrade(config, "head")
