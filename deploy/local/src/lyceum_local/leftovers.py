"""Ends processes of a stack whose supervisor is gone, so that a killed `make up` leaves nothing that breaks the next.

Every process of a stack has the stack's data folder in its environment, under MARK. Only those processes are touched.
"""

import os
from pathlib import Path

import psutil

MARK = "LYCEUM_STACK"
TERM_WAIT_S = 15.0
KILL_WAIT_S = 5.0


def marked_environment(data_dir: Path) -> dict[str, str]:
    """This process's environment with the mark, for processes that it starts for the stack in `data_dir`."""
    return {**os.environ, MARK: str(data_dir)}


def end_leftovers(data_dir: Path, spare: int | None = None) -> int:
    """Ends every process marked with `data_dir` except this one, first with SIGTERM. Returns their number.

    With `spare`, the process with that id (the running supervisor) and its children stay.
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
    """The processes whose environment names `data_dir` as their stack, oldest first (the supervisor)."""
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
