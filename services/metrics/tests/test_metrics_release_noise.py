"""The noise process: it alone draws, no fork repeats it, it comes back when it dies, and no caller waits past a
deadline."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import combinations

import psutil
import pytest

from eventfold.errors import DeadlineExceeded, PeerUnavailable
from metrics.release.noise import process as processes
from metrics.release.noise.frames import MAX_NUMBERS, MAX_VALUE, Noisy, Numbers
from metrics.release.noise.link import NoiseRefused
from metrics.release.noise.process import NoiseProcess

LAPLACE = Numbers("laplace", (100, 200), epsilon=1.0, sensitivity=1)
GAUSSIAN = Numbers("gaussian", (100,), std=3.0)
TIMEOUT_S = 60

WIDE = "Numbers('laplace', (0,) * 100, epsilon=1e-9, sensitivity=1)"
"""Noise of a width of 10^9: two that draw on their own never draw the same number twice in a row."""

FORKS = f"""
import asyncio, json, os, sys
from metrics.release.noise.frames import DrawnInFork, Numbers
from metrics.release.noise.process import NoiseProcess

async def drawn(process):
    [numbers] = await process.draw([{WIDE}], 30)
    return numbers

async def own():
    process = NoiseProcess()
    numbers = await drawn(process)
    await process.aclose()
    return numbers

def child(parents):
    try:
        asyncio.run(drawn(parents))
        refused = False
    except DrawnInFork:
        refused = True
    return {{"refused": refused, "numbers": asyncio.run(own())}}

async def parent(process):
    await drawn(process)
    told = []
    for _ in range(3):
        reads, writes = os.pipe()
        if (pid := os.fork()) == 0:
            found = ["failed"]
            try:
                asyncio.events._set_running_loop(None)
                found = child(process)
            finally:
                with os.fdopen(writes, "w") as out:
                    json.dump(found, out)
                os._exit(0)
        os.close(writes)
        with os.fdopen(reads) as into:
            told.append(json.load(into))
        os.waitpid(pid, 0)
    told.append({{"refused": True, "numbers": await drawn(process)}})
    await process.aclose()
    return told

if __name__ == "__main__":
    print(json.dumps(asyncio.run(parent(NoiseProcess()))))
"""

BARE_PYDP = """
import json, os
from pydp.algorithms.numerical_mechanisms import LaplaceMechanism
mechanism = LaplaceMechanism(1e-9, 1.0)
mechanism.add_noise(0)
told = []
for _ in range(3):
    reads, writes = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writes, "w") as out:
            json.dump([mechanism.add_noise(0) for _ in range(20)], out)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as into:
        told.append(json.load(into))
print(json.dumps(told))
"""

FORKED_SAMPLER = """
import os
from metrics.release.noise.frames import DrawnInFork, Numbers
from metrics.release.noise.sampler import Sampler
sampler = Sampler()
one = Numbers("laplace", (0,), epsilon=1.0, sensitivity=1)
sampler.draw(one)
if os.fork() == 0:
    try:
        sampler.draw(one)
    except DrawnInFork:
        os._exit(42)
    os._exit(1)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.fixture
async def noise() -> AsyncIterator[NoiseProcess]:
    process = NoiseProcess()
    yield process
    await process.aclose()


def told_by(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    return done.stdout


def repeats(drawn: Sequence[Sequence[int]]) -> int:
    """How many numbers two of these have in common, at most."""
    return max(len({*one} & {*other}) for one, other in combinations(drawn, 2))


def test_forked_children_of_bare_pydp_repeat_each_others_noise() -> None:
    """So the next test can fail."""
    assert repeats(json.loads(told_by(BARE_PYDP))) == 20


def test_forked_children_are_refused_and_what_they_draw_by_themselves_repeats_nothing() -> None:
    told = json.loads(told_by(FORKS))
    assert len(told) == 4 and all(one["refused"] for one in told)
    assert all(len(one["numbers"]) == 100 for one in told)
    assert repeats([one["numbers"] for one in told]) == 0


def test_a_fork_of_the_process_that_draws_is_refused_too() -> None:
    assert told_by(FORKED_SAMPLER).strip() == "42"


async def test_numbers_come_back_with_noise_of_their_own(noise: NoiseProcess) -> None:
    [two, one] = await noise.draw([LAPLACE, GAUSSIAN], 30)
    assert (len(two), len(one)) == (2, 1)
    assert all(value is not None for value in (*two, *one))
    [many] = await noise.draw([replace(LAPLACE, values=(0,) * 1000, epsilon=0.01)], 30)
    assert len({*many}) > 100


async def test_the_selection_drops_small_groups_and_keeps_large_ones(noise: NoiseProcess) -> None:
    choosing = replace(LAPLACE, values=(1, 1000), select_epsilon=1.0, select_delta=1e-9, select_partitions=1)
    found = [(await noise.draw([choosing], 30))[0] for _ in range(20)]
    assert all(small is None and large is not None for small, large in found)


async def test_the_selection_keeps_as_often_as_the_truncated_geometric_mechanism_says(noise: NoiseProcess) -> None:
    """With epsilon 1 and delta 1e-5: 10, 12 and 14 members with probability .12, .75 and .97."""
    for members, wanted in ((10, 0.12), (12, 0.75), (14, 0.97)):
        many = replace(LAPLACE, values=(members,) * 4000, select_epsilon=1.0, select_delta=1e-5)
        [found] = await noise.draw([many], 30)
        kept = sum(one is not None for one in found) / len(found)
        assert kept == pytest.approx(wanted, abs=0.04)


@pytest.mark.parametrize(
    "numbers",
    [
        replace(LAPLACE, epsilon=0.0),
        replace(LAPLACE, epsilon=-1.0),
        replace(LAPLACE, epsilon=float("nan")),
        replace(LAPLACE, epsilon=float("inf")),
        replace(LAPLACE, epsilon=1e-300),
        replace(LAPLACE, epsilon=1e300),
        replace(LAPLACE, sensitivity=0),
        replace(LAPLACE, sensitivity=-1),
        replace(LAPLACE, sensitivity=2**41),
        replace(LAPLACE, values=(MAX_VALUE + 1,)),
        replace(LAPLACE, values=(-MAX_VALUE - 1,)),
        replace(LAPLACE, values=(1.5,)),  # type: ignore[arg-type]
        replace(LAPLACE, values=(float("nan"),)),  # type: ignore[arg-type]
        replace(LAPLACE, values=(True,)),
        replace(LAPLACE, values=(0,) * (MAX_NUMBERS + 1)),
        replace(GAUSSIAN, std=0.0),
        replace(GAUSSIAN, std=-1.0),
        replace(GAUSSIAN, std=float("nan")),
        replace(GAUSSIAN, std=2.0**41),
        replace(LAPLACE, select_epsilon=1.0, select_delta=0.0),
        replace(LAPLACE, select_epsilon=1.0, select_delta=float("nan")),
        replace(LAPLACE, select_epsilon=1.0, select_delta=1e-6, select_partitions=0),
        replace(LAPLACE, values=(-1,), select_epsilon=1.0, select_delta=1e-6),
        replace(LAPLACE, noise="uniform"),  # type: ignore[arg-type]
    ],
    ids=str,
)
async def test_what_pydp_would_wrap_hand_on_or_never_finish_is_refused(noise: NoiseProcess, numbers: Numbers) -> None:
    """opendp #2935 (NaN became 0) and google/differential-privacy #405 (NaN and an overflow reached the noise)."""
    with pytest.raises(NoiseRefused):
        await noise.draw([numbers], 30)
    assert len(await noise.draw([LAPLACE], 30)) == 1, "and the process goes on"


async def test_a_killed_process_is_started_again_and_the_request_in_it_is_answered(noise: NoiseProcess) -> None:
    first = (await noise.link()).pid
    os.kill(first, signal.SIGKILL)
    assert len(await noise.draw([LAPLACE], 30)) == 1
    second = (await noise.link()).pid
    asked = asyncio.gather(*(noise.draw([LAPLACE], 30) for _ in range(50)))
    os.kill(second, signal.SIGKILL)
    assert len(await asked) == 50 and (await noise.link()).pid not in (first, second)


async def test_a_background_task_has_the_next_process_ready(
    noise: NoiseProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "RESTART_PAUSE_S", 0.01)
    first = await noise.link()
    running = asyncio.create_task(noise.run())
    os.kill(first.pid, signal.SIGKILL)
    for _ in range(3000):
        if noise.present not in (None, first):
            break
        await asyncio.sleep(0.01)
    running.cancel()
    assert noise.present not in (None, first)


async def test_a_wait_ends_at_its_deadline_and_what_is_drawn_after_it_goes_nowhere(noise: NoiseProcess) -> None:
    pid = (await noise.link()).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await noise.draw([LAPLACE], 0.1)
        assert time.monotonic() - began < 5
    finally:
        os.kill(pid, signal.SIGCONT)
    [numbers] = await noise.draw([GAUSSIAN], 30)
    assert len(numbers) == 1, "the late answer of the other request is not this one's"


async def test_more_requests_than_may_wait_are_refused_at_once(
    noise: NoiseProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MAX_WAITING", 2)
    pid = (await noise.link()).pid
    os.kill(pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(noise.draw([LAPLACE], 30)) for _ in range(2)]
    try:
        await asyncio.sleep(0)
        with pytest.raises(PeerUnavailable):
            await noise.draw([LAPLACE], 30)
    finally:
        os.kill(pid, signal.SIGCONT)
    found: list[list[Noisy]] = await asyncio.gather(*waiting)
    assert len(found) == 2


async def test_the_process_ends_with_its_owner(noise: NoiseProcess) -> None:
    pid = (await noise.link()).pid
    await noise.aclose()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    with pytest.raises(PeerUnavailable):
        await noise.draw([LAPLACE], 30)


def test_the_process_ends_when_its_owner_is_killed() -> None:
    script = """
import asyncio, os, signal
from metrics.release.noise.process import NoiseProcess
async def main():
    print((await NoiseProcess().link()).pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    pid = int(done.stdout)
    give_up_at = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    assert done.returncode == -signal.SIGKILL


def test_the_owner_never_loads_pydp() -> None:
    script = "import sys, metrics.release.noise.process; print('pydp' in sys.modules)"
    assert told_by(script).strip() == "False"
