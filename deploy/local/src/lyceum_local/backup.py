"""A backup of the whole instance: one folder, complete or absent. It does not hold topics: stores fill them again."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from lyceum_local import dumping, durable, manifest, tenancy
from lyceum_local.errors import BackupFailed, FolderTaken
from lyceum_local.settings import SERVICES, ports_file
from lyceum_local.stack import LocalStack

KEYS, PASSWORDS, PORTS, BOOK = "keys", "passwords.json", "ports.json", "simulator/book.sqlite"
BACKUPS = "backups"
_MIGRATION = "SELECT version_num FROM {}.alembic_version"


def default_target(stack: LocalStack) -> Path:
    """A folder in the data folder, named by the time. Copy it to another disk."""
    return stack.data_dir / BACKUPS / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def back_up(stack: LocalStack, target: Path) -> Path:
    """Save everything in the new folder `target`, and return it. The stack may be under load; PostgreSQL must run.

    One dump shows all services' databases at one moment. Keys are copied before and after it, so that every key that
    the dump needs is saved even if keys are rotated meanwhile. The provider's book is copied last, so that it has every
    payment in the dump. Blocks until all is on disk. Raises FolderTaken, BackupFailed and DatabaseRefused.
    """
    if target.exists():
        raise FolderTaken(target)
    fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}.new")
    try:
        fresh.mkdir(parents=True, mode=0o700)
        _fill(stack, fresh)
        durable.rename(fresh, target)
    except (OSError, sqlite3.Error) as failure:
        raise BackupFailed(target, str(failure)) from failure
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _fill(stack: LocalStack, folder: Path) -> None:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    _copy_files(stack, folder)
    dumping.dump(tenancy.in_database(stack.admin_url, stack.prefix), folder / manifest.DATABASE, stack.say)
    _copy_files(stack, folder)
    _copy_book(stack.data_dir / BOOK, folder / BOOK)
    server, migrations = _versions(stack)
    stack.say("reading back what was written")
    found = manifest.entries(folder)
    manifest.write(
        folder,
        manifest.Manifest(made_at=made_at, prefix=stack.prefix, postgres=server, migrations=migrations, files=found),
    )
    durable.sync_tree(folder)


def _copy_files(stack: LocalStack, folder: Path) -> None:
    shutil.copytree(stack.data_dir / KEYS, folder / KEYS, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    for file in (stack.secrets.file, ports_file(stack.data_dir)):
        if file.exists():
            shutil.copy2(file, folder / file.name)


def _copy_book(book: Path, copy: Path) -> None:
    """A consistent copy of the book, even while the provider writes to it."""
    if not book.exists():
        return
    copy.parent.mkdir(mode=0o700)
    with sqlite3.connect(f"file:{book}?mode=ro", uri=True) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    copy.chmod(0o600)


def _versions(stack: LocalStack) -> tuple[str, dict[str, str]]:
    """The server's version, and the newest migration of each service that has been prepared."""
    with psycopg.connect(tenancy.in_database(stack.admin_url, stack.prefix)) as conn:
        server = conn.info.parameter_status("server_version") or ""
        found = {}
        for service in SERVICES:
            made = conn.execute("SELECT to_regclass(%s)", [f"{service}.alembic_version"]).fetchone()
            if made and made[0]:
                row = conn.execute(sql.SQL(_MIGRATION).format(sql.Identifier(service))).fetchone()
                found[service] = str(row[0]) if row else ""
    return server, found
