"""A replica of PostgreSQL that lags behind and replaces the primary, as after a careless promotion."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lyceum_local import postgres
from lyceum_local.ports import LOOPBACK, free_block
from tests.faults.keeper import until

TOOL_S, READY_S = 120.0, 60.0

_CAUGHT_UP = """SELECT pg_is_in_recovery() AND EXISTS (SELECT 1 FROM pg_stat_wal_receiver)
AND pg_last_wal_replay_lsn() >= %s::pg_lsn"""


class Laggard:
    """A running replica in its own folder."""

    def __init__(self, folder: Path, primary_url: str, port: int) -> None:
        self.folder, self._primary = folder, primary_url
        self._url = make_conninfo(primary_url, port=port)
        self._server = begun(folder, port)

    def caught_up(self) -> None:
        """Wait until it has everything that the primary has now."""
        with psycopg.connect(self._primary) as primary:
            [(reached,)] = primary.execute("SELECT pg_current_wal_lsn()::text").fetchall()
        assert until(lambda: says(self._url, _CAUGHT_UP, reached), READY_S) is not None, "the replica never caught up"

    def cut_off(self) -> None:
        """From now on it receives nothing more, without noticing."""
        with psycopg.connect(self._url, autocommit=True) as replica:
            replica.execute("ALTER SYSTEM SET primary_conninfo = ''")
            replica.execute("SELECT pg_reload_conf()")
        gone = "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_wal_receiver)"
        assert until(lambda: says(self._url, gone), READY_S) is not None, "the replica still listens to the primary"

    def promoted(self) -> None:
        """Promote it to a primary, and stop it cleanly on disk."""
        with psycopg.connect(self._url, autocommit=True) as replica:
            assert replica.execute("SELECT pg_promote()").fetchall() == [(True,)]
            replica.execute("ALTER SYSTEM RESET ALL")
        self.stop()

    def stop(self) -> None:
        """PostgreSQL's fast shutdown; safe to repeat."""
        ended(self._server)


def begun(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A server of the files in `folder`, at this port."""
    arguments = [f"listen_addresses={LOOPBACK}", f"port={port}", "unix_socket_directories=", "max_connections=200"]
    options = [part for one in arguments for part in ("-c", one)]
    command = [*postgres.shedding_root(), str(postgres.binaries() / "postgres"), "-D", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def says(url: str, question: str, *arguments: object) -> bool:
    """Whether the server answers, and that it is so."""
    try:
        with psycopg.connect(url, connect_timeout=2) as conn:
            return conn.execute(question.encode(), arguments).fetchall() == [(True,)]
    except psycopg.OperationalError:
        return False


def ended(server: subprocess.Popen[bytes]) -> None:
    """PostgreSQL's fast shutdown; safe to repeat."""
    if server.poll() is None:
        server.send_signal(2)
        server.wait(TOOL_S)


def base_backup(url: str, folder: Path, *options: str) -> None:
    """Copy a running server's files to `folder`, whole as of the end of the copy."""
    shutil.rmtree(folder, ignore_errors=True)
    tool = str(postgres.binaries() / "pg_basebackup")
    command = [tool, "--checkpoint=fast", *options, f"--dbname={url}", f"--pgdata={folder}"]
    subprocess.run(command, check=True, capture_output=True, timeout=TOOL_S, env=passing(url))


def passing(url: str) -> dict[str, str]:
    """This process's environment with the password of `url`, which tools want to be told so."""
    return {**os.environ, "PGPASSWORD": str(conninfo_to_dict(url)["password"])}


@contextmanager
def following(folder: Path, primary_url: str) -> Iterator[Laggard]:
    """A replica that streams from the primary; removed on leaving."""
    base_backup(primary_url, folder, "--write-recovery-conf")
    replica = Laggard(folder, primary_url, free_block(1))
    try:
        yield replica
    finally:
        replica.stop()
        shutil.rmtree(folder, ignore_errors=True)
