"""`make load`: a mixed day of many members at a rising rate through the gateway until the machine has no more, then far
more than that, and whether it recovers by itself.

Each stage runs at one rate for `--seconds`. What is reported: throughput, latency, failures by cause, processor seconds
for 1,000 requests by part, and which part was at its end first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import psutil
from operating import make_account

from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack
from tests.rehearsal.day import Day
from tests.rehearsal.load import PASSWORD
from tests.rehearsal.pacing import by_aiohttp

RATES = (10, 20, 40, 60, 80, 120, 160, 240, 320, 480)
LATE_MS = 1_000.0
"""A stage whose 99th of 100 answers is later than this, or that falls behind its rate, is past the end."""
KEPT_UP = 0.9
FAR_MORE = (2, 4)
"""Times the rate that was past the end: then what is too much is to be refused, and quickly."""
SHED = "429"
IMPORTER = "load-importer"
CALL_S, CONNECTIONS = 40.0, 4_000
SETTLE_S = 10.0
"""After the last stage, before the first rate is tried again."""
TICKS = psutil.cpu_count() or 1


@dataclass(frozen=True)
class Stage:
    """What came of one rate."""

    rate: float
    answered_per_s: float
    p50_ms: float
    p99_ms: float
    failed: Mapping[str, int]
    cpu_s_per_1000: Mapping[str, float]
    busy: float
    """The share of all processors that was in use."""

    @property
    def is_past_the_end(self) -> bool:
        """Whether it fell behind."""
        return self.answered_per_s < KEPT_UP * self.rate or self.p99_ms > LATE_MS


def used(stack: LocalStack) -> dict[str, float]:
    """Processor seconds of each supervised process with its children, and of this one, which makes the load."""
    found = {name: _seconds(state.pid) for name, state in stack.states().items() if state.pid}
    return found | {"(load)": sum(psutil.Process().cpu_times()[:2])}


def _seconds(pid: int) -> float:
    try:
        root = psutil.Process(pid)
        return sum(sum(one.cpu_times()[:2]) for one in [root, *root.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0.0


async def stage(load: Day, stack: LocalStack, rate: float, seconds: float) -> Stage:
    """One rate for so long, and until everything is answered."""
    told = load.told
    told.seconds.clear()
    told.failed.clear()
    before, busy = used(stack), psutil.cpu_times()
    done = asyncio.Event()
    load.pace(rate)
    running = asyncio.create_task(load.run(done))
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(seconds)
    done.set()
    await running
    took = asyncio.get_running_loop().time() - began
    after, times = used(stack), psutil.cpu_times()
    count = len(told.seconds)
    ordered = sorted(told.seconds) or [0.0]
    return Stage(
        rate=rate,
        answered_per_s=count / took,
        p50_ms=ordered[int(len(ordered) * 0.5)] * 1000,
        p99_ms=ordered[int(len(ordered) * 0.99)] * 1000,
        failed=Counter(_cause(one) for one in told.failed),
        cpu_s_per_1000={name: (value - before.get(name, 0.0)) / count * 1000 for name, value in after.items() if count},
        busy=1 - (times.idle - busy.idle) / (took * TICKS),
    )


def _cause(failure: str) -> str:
    """The status of an answer, or the kind of failure, without what differs each time."""
    return failure.partition("Refused(")[2][1:4] or failure.rpartition(": ")[2].partition("(")[0]


async def rise(stack: LocalStack, rates: Sequence[float], seconds: float, members: int) -> list[Stage]:
    """Every rate up to the first that is past the end, far more, and the first one again."""
    async with aiohttp.ClientSession(
        stack.around.public_url,
        timeout=aiohttp.ClientTimeout(CALL_S),
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
    ) as client:
        load = Day(by_aiohttp(client), stack, rates[0], 1, members)
        session = await load.post("", "/v1/sessions", {"username": IMPORTER, "password": PASSWORD})
        await load.settle(session["access_token"])
        sys.stdout.write(f"load: {members:,} members are imported, {len(load.contents)} contents are for sale\n")
        found: list[Stage] = []
        for rate in rates:
            found.append(await stage(load, stack, rate, seconds))
            _say(found[-1])
            if found[-1].is_past_the_end:
                break
        end = found[-1].rate
        for times in FAR_MORE:
            found.append(await stage(load, stack, times * end, seconds))
            _say(found[-1])
        await asyncio.sleep(SETTLE_S)
        again = await stage(load, stack, rates[0], seconds)
        _say(again)
        return [*found, again]


def _say(one: Stage) -> None:
    failed = ", ".join(f"{count} {cause}" for cause, count in one.failed.items()) or "none failed"
    first = sorted(one.cpu_s_per_1000.items(), key=lambda item: -item[1])[:5]
    parts = ", ".join(f"{name} {value:.1f}" for name, value in first)
    cost = sum(one.cpu_s_per_1000.values())
    quick = f"p50 {one.p50_ms:.0f} ms, p99 {one.p99_ms:.0f} ms"
    lines = (
        f"load: {one.rate:g}/s: {one.answered_per_s:.1f} answered, {quick}, {failed}",
        f"load:   {one.busy:.0%} of the machine; {cost:.1f} s of processor for 1,000: {parts}",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def complaints(found: Sequence[Stage]) -> Iterator[str]:
    """What is not as it must be: the end is found, far more than that is refused with 429, and what came then is as
    quick as before."""
    first, end, farthest, last = found[0], found[-len(FAR_MORE) - 2], found[-2], found[-1]
    if not end.is_past_the_end:
        yield f"NOT AT ITS END at {end.rate:g}/s: give higher --rates"
    elif not farthest.failed.get(SHED):
        yield f"NOTHING WAS REFUSED at {farthest.rate:g}/s, with p99 {farthest.p99_ms:.0f} ms"
    if last.failed or last.p99_ms >= max(LATE_MS, 3 * first.p99_ms):
        yield "DID NOT RECOVER"


def main() -> int:
    """Exit status 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stage")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    told = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ll"))
    stack = LocalStack(folder, Ports.free())
    try:
        stack.up()
        make_account(stack, IMPORTER, "importer")
        found = asyncio.run(rise(stack, told.rates, told.seconds, told.members))
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)
    if told.json:
        told.json.write_text(json.dumps([asdict(one) for one in found], indent=1))
    wrong = list(complaints(found))
    sys.stdout.writelines(f"load: {one}\n" for one in wrong or ["sheds what is too much, and recovered by itself"])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
