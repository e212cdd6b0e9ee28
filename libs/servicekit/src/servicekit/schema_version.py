"""At which version a service's database is, and which its build needs: asked at every start, without Alembic, which
alone takes a third of the time of a start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import psycopg

from eventfold.postgres import schema

_REVISION = re.compile(r"(\d+)_\w+\.py")


class Versions(NamedTuple):
    """The service's migration, and the version of eventfold's own tables."""

    service: str | None
    eventfold: int | None

    def __str__(self) -> str:
        return f"migration {self.service} (eventfold {self.eventfold})"


class SchemaBehind(Exception):
    """The database has another version than this build: run the service's `prepare`."""

    def __init__(self, found: Versions, wanted: Versions) -> None:
        super().__init__(f"the database is at {found}, this build needs {wanted}; run `prepare` first")
        self.found = found
        self.wanted = wanted


def newest(migrations: Path) -> str | None:
    """The newest revision in the folder: file names begin with theirs, and later ones are higher."""
    revisions = (found[1] for one in migrations.iterdir() if (found := _REVISION.fullmatch(one.name)))
    return max(revisions, default=None)


def versions(url: str, migrations: Path) -> tuple[Versions, Versions]:
    """What the database is at, and the newest of this build. Blocking."""
    with psycopg.connect(url, autocommit=True) as conn:
        present = conn.execute("SELECT to_regclass('alembic_version')::text").fetchone()
        noted = conn.execute("SELECT version_num FROM alembic_version").fetchone() if present != (None,) else None
        own = schema.version(lambda statement: conn.execute(statement.encode()).fetchall())
    return Versions(noted[0] if noted else None, own), Versions(newest(migrations), schema.VERSION)


def check_version(url: str, migrations: Path) -> None:
    """Raise `SchemaBehind` unless the database is at the newest versions of this build, or beyond. Blocking."""
    found, wanted = versions(url, migrations)
    if (found.service or "") < (wanted.service or "") or (found.eventfold or 0) < schema.VERSION:
        raise SchemaBehind(found, wanted)
