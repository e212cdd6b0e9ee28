"""The command line: `python -m tests.rehearsal --from REF --rate 100`."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from tests.rehearsal.installation import Installation, installed
from tests.rehearsal.load import Load
from tests.rehearsal.pacing import AT_ONCE, by_aiohttp
from tests.rehearsal.verdict import findings
from tests.rehearsal.versions import Version, older, present

CALM_S = 10.0
"""How long the load runs before the first process is replaced, and after the last."""
CALL_S = 40.0


def main() -> int:
    """Exit status 1 if anything was not as it must be."""
    parser = argparse.ArgumentParser(prog="rehearsal", description=__doc__)
    parser.add_argument("--from", dest="reference", default="", help="the older version; none: only restarts")
    parser.add_argument("--back", action="store_true", help="then go back to the older version under the same load")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", type=Path, help="a folder to keep the processes' logs in")
    parser.add_argument("--trees", type=Path, default=Path.home() / ".cache" / "lyceum" / "trees")
    told = parser.parse_args()
    old = older(told.reference, told.trees) if told.reference else present()
    folder = Path(tempfile.mkdtemp(prefix="lr"))
    try:
        with installed(folder) as made:
            say(f"the older version ({old.root.name}) starts")
            made.prepare(old)
            made.start_all(old)
            load, wrong = asyncio.run(_rehearse(made, old, told.rate, told.seed, back=told.back))
            wrong += list(findings(load.told, made.database_url))
    finally:
        if told.logs:
            shutil.copytree(folder, told.logs, ignore=shutil.ignore_patterns("stack"), dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    _report(load, wrong)
    return 1 if wrong else 0


async def _rehearse(made: Installation, old: Version, rate: float, seed: int, *, back: bool) -> tuple[Load, list[str]]:
    connections, gateways = aiohttp.TCPConnector(limit=AT_ONCE), [url for _, url in made.gateways]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(CALL_S), connector=connections) as client:
        load, done = Load(by_aiohttp(client, *gateways), rate, seed), asyncio.Event()
        await load.settle()
        running, loaded = asyncio.create_task(load.run(done)), time.monotonic()
        await asyncio.sleep(CALM_S)
        began = time.monotonic()
        try:
            await asyncio.to_thread(_replace_all, made, old, lambda: len(load.told.failed), back=back)
            replaced_s = time.monotonic() - began
        finally:
            await asyncio.sleep(CALM_S)
            done.set()
            await running
    answered_per_s = len(load.told.seconds) / (time.monotonic() - loaded)
    say(f"replacing took {replaced_s:.0f} s; of {rate:g} requests a second, {answered_per_s:.0f} were made")
    return load, []


def _replace_all(made: Installation, old: Version, failed: Callable[[], int], *, back: bool) -> None:
    """The roll-out, then a restart of everything, and where it is asked for the way back."""
    new = present()
    if old != new:
        say("the present version prepares the databases; the older one runs on")
        made.prepare(new)
    rounds = [("replaced", new)] * (old != new) + [("restarted", new)] + [("rolled back", old)] * back
    for round_, version in rounds:
        for service, role in made.processes():
            began = time.monotonic()
            made.replace(version, service, role)
            say(f"{service}-{role} {round_} in {time.monotonic() - began:.1f} s; {failed()} requests have failed")
        made.restart_gateways()
        say(f"gateways restarted; {failed()} requests have failed")


def _report(load: Load, wrong: list[str]) -> None:
    seconds = sorted(load.told.seconds)
    p50, p99 = (seconds[int(len(seconds) * share)] * 1000 for share in (0.5, 0.99))
    asked = ", ".join(f"{count} {kind}" for kind, count in load.told.asked.most_common())
    say(f"{len(seconds)} requests ({asked}): {len(load.told.failed)} failed")
    say(f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, at most {seconds[-1]:.1f} s")
    for one in wrong:
        say(f"WRONG: {one}")
    if not wrong:
        say("nothing failed, nothing was lost, nothing was doubled")


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"rehearsal: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
