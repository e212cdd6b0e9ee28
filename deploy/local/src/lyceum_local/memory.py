"""The memory of the stack: the proportional set size, which counts each shared page once over all processes."""

from dataclasses import dataclass

import psutil

BYTES_PER_MIB = 1024 * 1024


@dataclass(frozen=True)
class Share:
    """One supervised process with its children."""

    name: str
    pss_bytes: int


def pss_of_tree(pid: int) -> int:
    """Bytes of the process and all its children; a process that has ended meanwhile counts 0."""
    try:
        root = psutil.Process(pid)
        return sum(_pss(process) for process in [root, *root.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def pss_of(pid: int) -> int:
    """Bytes of the process alone."""
    try:
        return _pss(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return 0


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0
