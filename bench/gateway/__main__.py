"""`python -m bench.gateway [--seconds N] [--connections N …] [--json FILE]`: what the gateway costs.

JSON through Envoy to identity's GetJwks, which asks no database, beside the same call straight to the same server; and
both with a bare grpcio server that answers with the same bytes. In turn in one run, three times, after a warm-up each;
medians. The limits of rates are raised by settings, the rest of Envoy's configuration is what deploy/gateway renders.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import uvloop

from bench.gateway.connections import GrpcConnection, JsonConnection, Tally
from bench.gateway.loading import GENERATOR, OTHERS, Found, measured, median
from bench.gateway.processes import METHOD, PATH, Server, running
from bench.report import Ratio, Section, load_before, table, write_json
from lyceum_local.ports import LOOPBACK
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack

CONNECTIONS = (1, 16, 64)
TURNS = 3
ROADS = {
    "gateway": "JSON, Envoy, gRPC, identity",
    "direct": "gRPC, identity",
    "gateway-bare": "JSON, Envoy, gRPC, bare server",
    "bare": "gRPC, bare server",
}
HEAD = (
    "road",
    "connections",
    "answers/s",
    "p50 ms",
    "p99 ms",
    "failed",
    "cores of the server",
    "of Envoy",
    "of the generator",
    "of all else",
)
Runs = Mapping[tuple[str, int], Found]


def main(argv: Sequence[str]) -> int:
    """Measure and print. Exit status 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(prog="bench.gateway", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--warm-up-s", type=float, default=2.0, help="before each measurement")
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    chosen = parser.parse_args(argv)
    uvloop.install()
    before = load_before()
    pace = (chosen.warm_up_s, chosen.seconds)
    with tempfile.TemporaryDirectory(prefix="bg") as name:
        folder = Path(name)
        with running(LocalStack(folder / "stack", Ports.free(), prefix="b."), folder) as servers:
            found = asyncio.run(_in_turn(servers, chosen.connections, pace))
    section = report(found, chosen.connections, [before])
    print(table([section]))
    if chosen.json:
        write_json(chosen.json, [section])
    return 1 if any(one.failed for one in found.values()) else 0


async def _in_turn(servers: Mapping[str, Server], connections: Sequence[int], pace: tuple[float, float]) -> Runs:
    runs: dict[tuple[str, int], list[Found]] = {(road, count): [] for count in connections for road in ROADS}
    for _ in range(TURNS):
        for road, count in runs:
            found = await _one(road, servers["bare" if road.endswith("bare") else "identity"], count, pace)
            runs[road, count].append(found)
            print(f"{road}, {count} connections: {found.answers_per_s:,.0f}/s", file=sys.stderr, flush=True)
    return {key: median(each) for key, each in runs.items()}


async def _one(road: str, server: Server, connections: int, pace: tuple[float, float]) -> Found:
    pids = {"server": server.pid}
    if road.startswith("gateway"):
        opening = partial(_json, server)
        pids["gateway"] = server.gateway_pid
        return await measured(opening, (LOOPBACK, server.gateway_port), connections, pids, pace)
    return await measured(partial(_grpc, server), (LOOPBACK, server.port), connections, pids, pace)


def _json(server: Server, tally: Tally) -> JsonConnection:
    return JsonConnection(tally, f"{LOOPBACK}:{server.gateway_port}", PATH, server.json_bytes)


def _grpc(server: Server, tally: Tally) -> GrpcConnection:
    return GrpcConnection(tally, f"{LOOPBACK}:{server.port}", METHOD, b"", server.answer_bytes)


def report(found: Runs, connections: Sequence[int], notes: Sequence[str]) -> Section:
    """The table, and what is left of a rate by each step; no target is set for these."""
    rows = [_row(road, count, one) for (road, count), one in found.items()]
    ratios = [_ratio(found, count, *pair) for count in connections for pair in COMPARED]
    title = f"The gateway beside direct gRPC (medians of {TURNS})"
    return Section(title, HEAD, rows, ratios, notes)


COMPARED = (("gateway", "direct"), ("direct", "bare"), ("gateway-bare", "bare"))


def _row(road: str, count: int, one: Found) -> tuple[object, ...]:
    cores = (one.cores["server"], one.cores.get("gateway", float("nan")), one.cores[GENERATOR], one.cores[OTHERS])
    return (ROADS[road], count, one.answers_per_s, one.p50_ms, one.p99_ms, one.failed, *cores)


def _ratio(found: Runs, count: int, above: str, below: str) -> Ratio:
    what = f"answers/s, {count} connections: {ROADS[above]} / {ROADS[below]}"
    return Ratio(what, found[above, count].answers_per_s / found[below, count].answers_per_s)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
