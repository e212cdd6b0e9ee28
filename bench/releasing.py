"""`python -m bench.releasing`: private counts and sums by this project's way, beside OpenDP and PyDP's own
aggregations.

Each release is the number of members and the sum of what they did, each member's part cut to `CAP`, each with epsilon
1. Rows come from one seed, ten a member on the average."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from bench.environments import ROOT, around, made
from bench.peers.releasing import CAP, EPSILON, Released, timed
from bench.report import Ratio, Section, table
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack
from metrics.release.asking import numbers_of
from metrics.release.domain.drawing import Wanted, noise
from metrics.release.domain.loss import nano_of
from metrics.release.domain.mechanism import Bounds, variance
from metrics.release.noise.process import NoiseProcess

REQUIREMENTS = ROOT / "bench" / "peers" / "privacy.txt"
SIZES = (10_000, 100_000, 1_000_000)
ROWS_PER_MEMBER = 10
MOST_PER_ROW = 20
TIMEOUT_S = 1_800
NOISE_MS = 1.0
"""Within which noise is there after the aggregation."""
COUNT, SUM = (noise("pure", nano_of(EPSILON), Bounds(high=high)) for high in (1, CAP))
BOUNDED = f"""SELECT count(*), coalesce(sum(least(did, {CAP})), 0)::bigint
FROM (SELECT sum(value)::bigint AS did FROM row GROUP BY member) AS one"""
Rows = tuple[NDArray[np.int64], NDArray[np.int64]]


def main(argv: Sequence[str]) -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="bench.releasing", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES)
    parser.add_argument("--releases", type=int, default=300, help="at most so many of each kind")
    parser.add_argument("--seconds", type=float, default=30.0, help="and at most for so long")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder), Ports.free(), prefix="bench.")
        try:
            stack.start_postgres()
            found = [
                one
                for size in chosen.rows
                for one in _compared(stack.admin_url, Path(folder), size, chosen.releases, chosen.seconds)
            ]
        finally:
            stack.down()
    print(json.dumps([asdict(one) for one in found], indent=2) if chosen.json else table([section(found)]))
    return 0


def section(found: Sequence[Released]) -> Section:
    """The table, with the theory of our noise in its first row."""
    head = ("rows", "way", "count RMSE", "sum RMSE", "ms a release", "of it noise", "its p99", "releases")
    theory = ("", "theory", variance(COUNT) ** 0.5, variance(SUM) ** 0.5, nan, nan, nan, "")
    rows = [
        (
            f"{one.rows:,}",
            one.way,
            one.count_rmse,
            one.sum_rmse,
            one.release_ms,
            one.noise_ms,
            one.noise_p99_ms,
            one.releases,
        )
        for one in found
    ]
    slowest = max(one.noise_ms for one in found if not isnan(one.noise_ms))
    ratio = Ratio("noise: 1 ms / the slowest median", NOISE_MS / slowest, 1.0)
    return Section(f"Private releases: a count and a sum, epsilon {EPSILON:g} each", head, [theory, *rows], [ratio])


def some(size: int) -> Rows:
    """Members and what they did, a row each."""
    draw = np.random.default_rng(1)
    members = draw.integers(0, max(1, size // ROWS_PER_MEMBER), size)
    return members, draw.integers(1, MOST_PER_ROW + 1, size)


def _compared(url: str, folder: Path, size: int, releases: int, seconds: float) -> list[Released]:
    rows = some(size)
    file = folder / f"{size}.npz"
    np.savez(file, members=rows[0], values=rows[1])
    ours = asyncio.run(_ours(url, rows, releases, seconds))
    peers = [
        Released(**one)
        for python, way in ((made("bench-privacy", REQUIREMENTS), "opendp"), (sys.executable, "pydp"))
        for one in _of_peer(python, way, file, releases, seconds)
    ]
    return [*ours, *peers]


def _of_peer(python: str, way: str, file: Path, releases: int, seconds: float) -> list[dict[str, Any]]:
    print(f"bench: {way}, {file.stem} rows", file=sys.stderr, flush=True)
    command = [python, "-m", "bench.peers.releasing", way, str(file), str(releases), str(seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=around(), timeout=TIMEOUT_S, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


async def _ours(url: str, rows: Rows, releases: int, seconds: float) -> list[Released]:
    print(f"bench: ours, {len(rows[0]):,} rows", file=sys.stderr, flush=True)
    members, values = rows

    async def in_numpy() -> tuple[int, int]:
        did = np.bincount(members, values)
        did = did[did > 0]
        return len(did), int(np.minimum(did, CAP).sum())

    async with _noise() as process, _tabled(url, rows) as conn:

        async def in_sql() -> tuple[int, int]:
            found = await (await conn.execute(BOUNDED)).fetchone()
            return (0, 0) if found is None else (found[0], found[1])

        truth = await in_sql()
        assert truth == await in_numpy()
        ways = {"ours, bounded in SQL": in_sql, "ours, bounded in numpy": in_numpy}
        return [
            await _released(name, len(members), truth, bounded, process, releases, seconds)
            for name, bounded in ways.items()
        ]


async def _released(
    way: str,
    rows: int,
    truth: tuple[int, int],
    bounded: Callable[[], Awaitable[tuple[int, int]]],
    process: NoiseProcess,
    releases: int,
    seconds: float,
) -> Released:
    found: list[tuple[int, int]] = []
    whole_ms: list[float] = []
    noise_ms: list[float] = []
    give_up_at = time.monotonic() + seconds
    while len(found) < releases and time.monotonic() < give_up_at:
        began = time.perf_counter()
        members, did = await bounded()
        asked = time.perf_counter()
        wanted = [Wanted("count", COUNT, (("", members),)), Wanted("sum", SUM, (("", did),))]
        [[count], [total]] = await process.draw(numbers_of(wanted), 10)
        assert count is not None and total is not None
        found.append((count, total))
        noise_ms.append((time.perf_counter() - asked) * 1e3)
        whole_ms.append((time.perf_counter() - began) * 1e3)
    return timed(way, rows, truth, found, whole_ms, noise_ms)


@contextlib.asynccontextmanager
async def _noise() -> AsyncIterator[NoiseProcess]:
    process = NoiseProcess()
    await process.link()
    try:
        yield process
    finally:
        await process.aclose()


@contextlib.asynccontextmanager
async def _tabled(url: str, rows: Rows) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """The rows in a table that is gone afterwards."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute("CREATE TEMPORARY TABLE row (member bigint NOT NULL, value bigint NOT NULL)")
        async with conn.cursor() as cursor, cursor.copy("COPY row FROM STDIN") as copy:
            for one in zip(*(column.tolist() for column in rows), strict=True):
                await copy.write_row(one)
        await conn.execute("ANALYZE row")
        yield conn


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
