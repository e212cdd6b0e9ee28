"""Finds free ports, and finds the holder of a taken port before a child process fails on it."""

import fcntl
import itertools
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO

import psutil

from lyceum_local.errors import NoFreePorts, PortTaken

LOOPBACK = "127.0.0.1"
BLOCK = 64
BLOCKS = range(20_000, 32_000, BLOCK)
"""First ports of the blocks, below the range from which systems take ports for outgoing connections."""
_kept: list[IO[str]] = []
"""The locks of the blocks that this process was given; they end with the process."""


def free_block(count: int) -> int:
    """The first of `count` (at most 64) successive ports that are free; raises NoFreePorts.

    The block stays this process's own until it ends: a port may be bound long after it was chosen, and by a child,
    and nobody else who asks here is given it meanwhile.
    """
    for first in random.sample(BLOCKS, len(BLOCKS)):
        if all(_free(port) for port in range(first, first + count)) and _keep(first):
            return first
    raise NoFreePorts(count, len(BLOCKS))


def free_port() -> int:
    """The next free port of a block that is this process's own; raises NoFreePorts.

    A port that the system chooses is nobody's: it may have gone to a connection before a child binds it.
    """
    for port in itertools.islice(_own_ports(), BLOCK):
        if _free(port):
            return port
    raise NoFreePorts(1, BLOCK)


@cache
def _own_ports() -> Iterator[int]:
    first = free_block(1)
    return itertools.cycle(range(first, first + BLOCK))


def _keep(first: int) -> bool:
    folder = Path(tempfile.gettempdir()) / f"lyceum-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = (folder / str(first)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return False
    _kept.append(lock)
    return True


def require_free(part: str, port: int, setting: str) -> None:
    """Returns if `port` can be bound on loopback, else raises PortTaken, which names the setting of the port."""
    if not _free(port):
        raise PortTaken(part, port, setting, holder_of(port))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """The process that listens on `port`, as far as this user may see."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "another process"
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
            return _described(connection.pid)
    return "another process"


def _described(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.NoSuchProcess:
        return f"pid {pid}"
