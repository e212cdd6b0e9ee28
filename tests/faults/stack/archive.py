"""A base backup and an archive of the WAL, from which a database is brought back to any moment in between: what an
operator of PostgreSQL on Kubernetes has, by PostgreSQL's own tools."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from lyceum_local import postgres
from lyceum_local.ports import free_port
from tests.faults.keeper import until
from tests.faults.stack import restores
from tests.faults.stack.laggard import base_backup, begun, ended, passing, says
from tests.faults.stack.product import Product

READY_S, TOOL_S = 60.0, 120.0
PROMOTED = "SELECT NOT pg_is_in_recovery()"


class Archive:
    """What was saved of a running server, and goes on being saved."""

    def __init__(self, product: Product, folder: Path) -> None:
        self._product, self._base, self._wal = product, folder / "base", folder / "wal"
        self._wal.mkdir(parents=True)
        self._url = product.stack.admin_url
        receive = [str(postgres.binaries() / "pg_receivewal"), f"--dbname={self._url}", f"--directory={self._wal}"]
        self._receiver = subprocess.Popen(
            [*receive, "--synchronous"], env=passing(self._url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        base_backup(self._url, self._base)

    def back_to_now(self, product: Product, services: tuple[str, ...], goes_on: Callable[[], None]) -> None:
        """Everything that is recorded by `goes_on` is undone: PostgreSQL is stopped, and comes back as of before."""
        with psycopg.connect(self._url) as conn:
            [(moment,)] = conn.execute("SELECT clock_timestamp()::text").fetchall()
        goes_on()
        self._complete()
        product.stack.down()
        self._recovered(moment)
        restores.copied(self._base, product.data("postgres"))

    def _complete(self) -> None:
        """The archive has everything up to now."""
        with psycopg.connect(self._url, autocommit=True) as conn:
            [(name,)] = conn.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchall()
        assert until(lambda: (self._wal / name).exists(), READY_S) is not None, f"{name} never came to the archive"
        self.close()

    def _recovered(self, moment: str) -> None:
        settings = [
            f"restore_command = 'cp {self._wal}/%f %p'",
            f"recovery_target_time = '{moment}'",
            "recovery_target_action = 'promote'",
        ]
        with (self._base / "postgresql.auto.conf").open("a") as told:
            told.write("\n".join(["", *settings, ""]))
        (self._base / "recovery.signal").touch()
        server = begun(self._base, port := free_port())
        try:
            url = make_conninfo(self._url, port=port)
            assert until(lambda: says(url, PROMOTED), READY_S) is not None, "the recovery did not come to its end"
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute("ALTER SYSTEM RESET ALL")
        finally:
            ended(server)

    def close(self) -> None:
        """Save no more; safe to repeat."""
        if self._receiver.poll() is None:
            self._receiver.terminate()
            self._receiver.wait(TOOL_S)


@contextmanager
def archived(product: Product) -> Iterator[Archive]:
    """A base backup of now and the WAL from now on; removed on leaving."""
    folder = product.folder / "archive"
    shutil.rmtree(folder, ignore_errors=True)
    archive = Archive(product, folder)
    try:
        yield archive
    finally:
        archive.close()
        shutil.rmtree(folder, ignore_errors=True)
