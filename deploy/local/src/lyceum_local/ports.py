"""Finds free ports, and finds the holder of a taken port before a child process fails on it."""

import random
import socket

import psutil

from lyceum_local.errors import NoFreePorts, PortTaken

LOOPBACK = "127.0.0.1"
BLOCKS = range(20_000, 32_000, 64)
"""First ports of the blocks, below the range from which systems take ports for outgoing connections."""
BLOCKS_TRIED = 100


def free_block(count: int) -> int:
    """The first of `count` (at most 64) successive ports that are free; raises NoFreePorts.

    Blocks are tried in random order, so that instances that choose at the same moment hardly ever collide.
    """
    for first in random.sample(BLOCKS, BLOCKS_TRIED):
        if all(_free(port) for port in range(first, first + count)):
            return first
    raise NoFreePorts(count, BLOCKS_TRIED)


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
