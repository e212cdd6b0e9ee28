"""Dumps and restores one database with PostgreSQL's own tools."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from lyceum_local.errors import DumpFailed
from lyceum_local.memory import BYTES_PER_MIB
from lyceum_local.postgres import binaries
from lyceum_local.waiting import tail

SAY_EVERY_S = 5.0
LOOK_S = 0.1
LINES_SHOWN = 5
COMPRESSION = "gzip:1"
Say = Callable[[str], None]


def dump(url: str, file: Path, say: Say) -> None:
    """Dump the database as of one moment into `file`, readable by its owner only. Blocking; raises DumpFailed."""
    file.touch(mode=0o600)
    _run(["pg_dump", "--format=custom", f"--compress={COMPRESSION}", f"--file={file}"], url, say, file)


def restore(url: str, file: Path, say: Say) -> None:
    """Load `file` into the database, all of it or nothing. Existing objects with the same names are replaced.

    Blocking; raises DumpFailed.
    """
    options = ["--clean", "--if-exists", "--single-transaction", "--exit-on-error", f"--dbname={_named(url)['dbname']}"]
    _run(["pg_restore", *options, str(file)], url, say, file)


def _named(url: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(url).items()}


def _run(command: Sequence[str], url: str, say: Say, file: Path) -> None:
    """Run the tool. The password is passed in the environment, because every user can read command lines."""
    named, started = _named(url), time.monotonic()
    told = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    variables = {key: named[name] for key, name in told.items() if name in named}
    process = subprocess.Popen(
        [str(binaries() / command[0]), *command[1:]],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        _wait(process, command[0], file, say, started)
        complaint = tail(process.stderr.read() if process.stderr else "", LINES_SHOWN)
    if process.returncode:
        raise DumpFailed(command[0], complaint)
    say(f"{command[0]}: {_size(file)} in {time.monotonic() - started:.0f} s")


def _wait(process: subprocess.Popen[str], name: str, file: Path, say: Say, started: float) -> None:
    """Wait until the tool has ended, with a progress line now and then. The tool ends with the database, and on an
    interrupt."""
    said = started
    try:
        while process.poll() is None:
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                say(f"{name}: {_size(file)} after {said - started:.0f} s")
            time.sleep(LOOK_S)
    except BaseException:
        process.kill()
        raise


def _size(file: Path) -> str:
    return f"{file.stat().st_size / BYTES_PER_MIB:.1f} MiB"
