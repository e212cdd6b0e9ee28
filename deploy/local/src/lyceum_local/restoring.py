"""Restores the whole instance from a backup. Stores fill the topics again; the previous data is kept in a folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from contracts.emitters import EMITTERS
from lyceum_local import backup, dumping, durable, manifest, tenancy
from lyceum_local.errors import BackupUnusable, RecoverFailed, WouldReplace
from lyceum_local.leftovers import marked_environment
from lyceum_local.program import log_file
from lyceum_local.settings import SERVICES, ports_file
from lyceum_local.stack import LocalStack
from lyceum_local.waiting import tail

REPLACED = "replaced"
RECOVER_TIMEOUT_S = 1800.0
FOLDERS = ("postgres", "kafka", backup.KEYS, "simulator")


def adopt_ports(source: Path, data_dir: Path) -> None:
    """Give an instance without remembered ports those of the backup, because tokens name the gateway's port. Call this
    before the instance is made."""
    if (source / backup.PORTS).exists() and not ports_file(data_dir).exists():
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy2(source / backup.PORTS, ports_file(data_dir))


def restore(stack: LocalStack, source: Path, *, force: bool) -> None:
    """Restore the instance from `source`, and start it. Blocks. If a restore was interrupted, run it again.

    The whole backup is read before anything is changed. Raises BackupUnusable, WouldReplace if there is data and
    `force` is not given, DumpFailed, DatabaseRefused, RecoverFailed, and the errors of starting the stack.
    """
    stack.say("reading the backup")
    saved = manifest.read(source)
    if saved.prefix != stack.prefix:
        raise BackupUnusable(source, f"it is of the instance with the prefix {saved.prefix!r}, not {stack.prefix!r}")
    if not (force or stack.half_restored):
        _require_nothing(stack)
    with _marked(stack, source):
        stack.down()
        aside = stack.data_dir / REPLACED / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        _put_files(stack, source, aside)
        _put_database(stack, source, aside.name)
        present = [name for name in SERVICES if find_spec(name)]
        stack.prepare(present)
        begin_new_histories(stack, [name for name in EMITTERS if name in present])
    stack.up()
    if aside.exists():
        stack.say(f"what was there before is kept in {aside}; remove it when it is not needed")


def begin_new_histories(stack: LocalStack, services: Sequence[str]) -> None:
    """Make each emitting service fill its topics from its store, so that every reader, whenever its tables were saved,
    drops events that the store does not have. The services' servers run meanwhile. Raises RecoverFailed."""
    stack.launch_servers(services)
    words = ("recover", "--restored")  # an emptied Kafka does not show that the store was restored
    for service in services:
        log = log_file(stack.supervisor.logs, f"{service}-recover")
        command = [sys.executable, "-m", "eventfold_ops", "--app", f"{service}.bootstrap:deployment", *words]
        variables = marked_environment(stack.data_dir) | stack.environment(service)
        with log.open("w") as output:
            try:
                subprocess.run(
                    command, env=variables, stdout=output, stderr=output, timeout=RECOVER_TIMEOUT_S, check=True
                )
            except subprocess.SubprocessError as failed:
                raise RecoverFailed(service, log, tail(log.read_text())) from failed
        stack.say(f"{service} has begun a new history and filled its topics")


@contextmanager
def _marked(stack: LocalStack, source: Path) -> Iterator[None]:
    """Until the restore has succeeded, no other command starts the stack."""
    stack.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    stack.half_restored_file.write_text(str(source))
    durable.sync(stack.half_restored_file)
    durable.sync(stack.data_dir)
    yield
    stack.half_restored_file.unlink()


def _require_nothing(stack: LocalStack) -> None:
    for name in FOLDERS:
        if (stack.data_dir / name).exists():
            raise WouldReplace(str(stack.data_dir / name))
    if stack.postgres_choice == "given" and _in_use(stack):
        raise WouldReplace(f"the database {tenancy.database_name(stack.prefix)}")


def _put_files(stack: LocalStack, source: Path, aside: Path) -> None:
    """Put back keys, passwords and the provider's book. Present files of these names, and Kafka's files, go to `aside`.

    A PostgreSQL server that existed before keeps its passwords, because it knows no others.
    """
    ours = stack.postgres_choice == "embedded"
    for name in (*FOLDERS, *([backup.PASSWORDS] if ours else [])):
        if (stack.data_dir / name).exists():
            aside.mkdir(parents=True, exist_ok=True, mode=0o700)
            (stack.data_dir / name).rename(aside / name)
    for name in (backup.KEYS, "simulator"):
        if (source / name).exists():
            shutil.copytree(source / name, stack.data_dir / name)
    if not stack.secrets.file.exists():
        shutil.copy2(source / backup.PASSWORDS, stack.secrets.file)
    stack.say("keys, passwords and the provider's book are back")


def _put_database(stack: LocalStack, source: Path, name: str) -> None:
    """Restore into a new database. If an existing server has one in use, that database is renamed first."""
    stack.start_backing()
    if _in_use(stack):
        _set_aside(stack, name)
        tenancy.ensure_database(stack.admin_url, stack.prefix)
    stack.forget_databases()
    for service in SERVICES:
        stack.database_url(service)
    dumping.restore(tenancy.in_database(stack.admin_url, stack.prefix), source / manifest.DATABASE, stack.say)


def _set_aside(stack: LocalStack, name: str) -> None:
    old = tenancy.database_name(stack.prefix)
    with psycopg.connect(stack.admin_url, autocommit=True) as server:
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        server.execute(rename.format(sql.Identifier(old), sql.Identifier(f"{old}_{REPLACED}_{name.lower()}")))


def _in_use(stack: LocalStack) -> bool:
    """Whether the instance's database exists and a service has been created in it."""
    name = tenancy.database_name(stack.prefix)
    with psycopg.connect(stack.admin_url, autocommit=True) as server:
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
    with psycopg.connect(tenancy.in_database(stack.admin_url, stack.prefix)) as database:
        asked = "SELECT 1 FROM pg_namespace WHERE nspname = ANY(%s)"
        return database.execute(asked, [list(SERVICES)]).fetchone() is not None
