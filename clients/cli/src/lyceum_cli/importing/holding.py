"""One import at a time for each state file: a lock that the operating system lets go of when its holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lyceum_cli.errors import CannotWrite, Held

MAX_NOTE_BYTES: Final = 500


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep every other import away from `path` by `<path>.lock`, which is gone afterwards.

    Raises `Held`, saying who has it, or `CannotWrite`.
    """
    lock = path.with_name(f"{path.name}.lock")
    descriptor = _locked(path, lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path, lock: Path) -> int:
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as failure:
            raise CannotWrite(lock, failure) from failure
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, MAX_NOTE_BYTES).decode(errors="replace").strip()
            os.close(descriptor)
            raise Held(path, holder or "another process") from None
        if _is_there(descriptor, lock):
            _note(descriptor)
            return descriptor
        os.close(descriptor)  # its last holder removed it meanwhile: whoever comes next would lock another file


def _is_there(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _note(descriptor: int) -> None:
    """Who holds it, for whoever is refused; on a full disk it stays empty."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode())
