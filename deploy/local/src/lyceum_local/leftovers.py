"""Ending processes of a stack whose supervisor is gone: a killed `make up` must leave nothing the next one trips over.

Every process of a stack carries the stack's data folder in its environment, under MARK. Only those are touched.
"""

import os
from pathlib import Path

import psutil

MARK = "LYCEUM_STACK"
TERM_WAIT_S = 15.0
KILL_WAIT_S = 5.0


def marked_environment(data_dir: Path) -> dict[str, str]:
    """This process's environment with the mark, for what it starts on behalf of the stack in `data_dir`."""
    return {**os.environ, MARK: str(data_dir)}


def end_leftovers(data_dir: Path, spare: int | None = None) -> int:
    """Ends, first politely, every process marked with `data_dir` but this one; returns how many there were.

    With `spare`, the process of that id (the living supervisor) and its children stay.
    """
    kept = _family(spare) if spare else set()
    found = [process for process in marked(data_dir) if process.pid not in kept]
    for process in found:
        _send(process, kill=False)
    _, alive = psutil.wait_procs(found, timeout=TERM_WAIT_S)
    for process in alive:
        _send(process, kill=True)
    psutil.wait_procs(alive, timeout=KILL_WAIT_S)
    return len(found)


def marked(data_dir: Path) -> list[psutil.Process]:
    """The processes whose environment names `data_dir` as their stack, the oldest (a supervisor) first."""
    found = [p for p in psutil.process_iter() if p.pid != os.getpid() and _stack_of(p) == str(data_dir)]
    return sorted(found, key=lambda p: p.create_time())


def _family(pid: int) -> set[int]:
    try:
        return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()


def _stack_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
        return None


def _send(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
            process.resume()
    except psutil.NoSuchProcess:
        return
