"""A closed loop: so many connections, each with one question at a time, and what answering cost each process."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil

from bench.gateway.connections import Connection, Tally

LATE_S = 30.0
"""How long after its end a measurement may last; then it fails."""
GENERATOR, OTHERS = "generator", "others"
Opening = Callable[[Tally], Connection]


@dataclass(frozen=True)
class Found:
    """What came of a measurement. `cores` says how many processors each process kept busy, and all that is not
    measured, on this machine."""

    answers_per_s: float
    p50_ms: float
    p99_ms: float
    failed: int
    cores: Mapping[str, float]


async def measured(
    opening: Opening, address: tuple[str, int], connections: int, pids: Mapping[str, int], pace: tuple[float, float]
) -> Found:
    """Open the connections, let them warm up and then count: `pace` has the seconds of both. Raises ConnectionError
    if a connection is lost, TimeoutError if answers stay out."""
    warm_up_s, seconds = pace
    tally = Tally(begins := time.perf_counter() + warm_up_s, begins + seconds)
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(lambda: opening(tally), *address))[1] for _ in range(connections)]
    await asyncio.sleep(begins - time.perf_counter())
    before = _used(pids)
    await asyncio.wait_for(asyncio.gather(*(one.done for one in opened)), seconds + LATE_S)
    cores = {name: (value - before[name]) / seconds for name, value in _used(pids).items()}
    return _found(tally, seconds, cores)


def _found(tally: Tally, seconds: float, cores: Mapping[str, float]) -> Found:
    took = tally.took_s
    percents = statistics.quantiles(took, n=100) if len(took) > 1 else [float("inf")] * 99
    return Found(len(took) / seconds, percents[49] * 1000, percents[98] * 1000, tally.failed, cores)


def median(runs: Sequence[Found]) -> Found:
    """Each figure's median; failures are added up."""
    names = runs[0].cores
    return Found(
        answers_per_s=statistics.median(one.answers_per_s for one in runs),
        p50_ms=statistics.median(one.p50_ms for one in runs),
        p99_ms=statistics.median(one.p99_ms for one in runs),
        failed=sum(one.failed for one in runs),
        cores={name: statistics.median(one.cores[name] for one in runs) for name in names},
    )


def _used(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor seconds so far of each process with its children, of this one, which makes the load, and of the rest
    of the machine: other work, and what the kernel does for no process."""
    found = {name: _seconds(psutil.Process(pid)) for name, pid in pids.items()}
    found[GENERATOR] = sum(psutil.Process().cpu_times()[:2])
    machine = psutil.cpu_times()
    return found | {OTHERS: sum(machine) - machine.idle - machine.iowait - sum(found.values())}


def _seconds(root: psutil.Process) -> float:
    return float(sum(sum(one.cpu_times()[:2]) for one in [root, *root.children(recursive=True)]))
