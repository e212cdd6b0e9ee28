"""The measurements: each section runs its contestants in turn on the same data, and states the target ratio."""

from __future__ import annotations

import asyncio
import statistics
import sys
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg

from bench import appending, bare_chain, recommended, relaying, running, visible
from bench.report import Ratio, Section
from bench.training import training
from bench.workload import Load
from lyceum_local.stack import LocalStack

REPEATS = 3
"""Number of turns of each contestant. The median counts, because a machine's speed changes and a broker's first run is
slow."""
PEERS = ("quix", "bytewax", "stock-faust")
RATES_PER_S = (200.0, 150.0, 100.0, 50.0)
P50_MS, P99_MS = 30.0, 100.0
"""Targets for the first rate; the other rates show how far the machine is from them."""
RECOMMENDED_PER_S = (20.0, 50.0)
RECOMMENDED_MEMBERS = 40
VISIBLE_MS = 1_000.0
ANSWERS_PER_S = 500.0
SLOW_EVENTS = 5_000
"""Number of events for peers that take one event at a time; their rate does not depend on it."""


def fold(stack: LocalStack, quick: bool) -> Section:
    """Decode, two upserts, position: all contestants in their best batched form, and per event as documented."""
    load = Load(events=20_000 if quick else 200_000)
    peers = ("bare", "eventfold", "eventfold-general", "quix", "bytewax")
    rates = _medians(stack, load, [(peer, "fold") for peer in peers], 1 if quick else REPEATS)
    rates |= _medians(stack, Load(events=SLOW_EVENTS * 4), [("stock-faust", "fold")], 1)
    rates |= _medians(stack, Load(events=SLOW_EVENTS), [(peer, "per-event") for peer in PEERS], 1)
    ratios = [Ratio("fold: eventfold / bare loop", rates["eventfold"] / rates["bare"], 0.9)]
    ratios += [Ratio("fold: eventfold, the general form / bare loop", rates["eventfold-general"] / rates["bare"], 0.9)]
    ratios += [Ratio(f"fold: eventfold / {peer}", rates["eventfold"] / rates[peer], 0.95) for peer in PEERS]
    return Section(f"Complete fold ({load.events:,} events)", ("peer", "events/s"), list(rates.items()), ratios)


def delivery(stack: LocalStack, quick: bool) -> Section:
    """Without a database: delivery alone, and delivery with decoding."""
    load = Load(events=20_000 if quick else 200_000)
    raw, decoded = (_delivered(stack, load, work, 1 if quick else REPEATS) for work in ("raw", "decode"))
    rows = [(peer, raw[peer], decoded[peer]) for peer in raw]
    ratios = [
        Ratio("decoded: eventfold / Quix", decoded["eventfold"] / decoded["quix"], 2.0),
        Ratio("decoded: eventfold / stock Faust", decoded["eventfold"] / decoded["stock-faust"], 10.0),
        Ratio("delivered: eventfold / bare getmany", raw["eventfold"] / raw["bare"], 0.8),
    ]
    return Section("Delivery without a database (events/s)", ("peer", "raw", "decoded"), rows, ratios)


def _delivered(stack: LocalStack, load: Load, work: str, repeats: int) -> dict[str, float]:
    rates = _medians(stack, load, [(peer, work) for peer in ("bare", "eventfold", "quix", "bytewax")], repeats)
    return rates | _medians(stack, Load(events=SLOW_EVENTS * 4), [("stock-faust", work)], 1)


def append(stack: LocalStack, quick: bool) -> Section:
    """Commits per second: distinct streams by number of writers, one hot stream, and pyeventsourcing's recorder."""
    turns, nothing = 1 if quick else REPEATS, float("nan")
    rows = [(f"{writers} writers", *_appended(stack, writers, turns)) for writers in (1, 8, 32)]
    hot = _medians_of([asyncio.run(appending.hot_commits_per_s(running.fresh_schema(stack), 8)) for _ in range(turns)])
    rows.append(("one hot stream, 8 writers", hot["transaction"], nothing, hot["eventfold"], nothing))
    ratios = [Ratio(f"append, {row[0]}: eventfold / bare transaction", row[3] / row[1], 0.8) for row in rows]
    head = ("writers", "bare transaction", "lone INSERT", "eventfold", "pyeventsourcing")
    return Section("Append (commits/s)", head, rows, ratios)


def _appended(stack: LocalStack, writers: int, turns: int) -> tuple[float, float, float, float]:
    """Rates of the bare transaction, the single INSERT, eventfold and pyeventsourcing, in turn."""
    found = _medians_of(
        [
            asyncio.run(appending.commits_per_s(running.fresh_schema(stack), writers))
            | {"peer": _pyeventsourcing(stack, writers)}
            for _ in range(turns)
        ]
    )
    return found["transaction"], found["insert"], found["eventfold"], found["peer"]


def _pyeventsourcing(stack: LocalStack, writers: int) -> float:
    name = f"peer{uuid.uuid4().hex[:8]}"
    with psycopg.connect(stack.admin_url, autocommit=True) as conn:
        conn.execute(f"CREATE SCHEMA {name}")
    command = [running.peers_python(), "-m", "bench.peers.sourcing", stack.admin_url, name, str(writers), "4"]
    return float(running.last_line(command)["commits_per_s"])


def relay(stack: LocalStack, quick: bool) -> Section:
    """From rows to acknowledged records."""
    events = 10_000 if quick else 100_000
    rates = _medians_of(
        [
            asyncio.run(relaying.records_per_s(running.fresh_schema(stack), stack.brokers, events, f"r{turn}."))
            for turn in range(1 if quick else REPEATS)
        ]
    )
    ratios = [
        Ratio(f"relay / {way}", rates["relay"] / rates[way], 0.8) for way in ("aiokafka send", "aiokafka batches")
    ]
    return Section(f"Relay ({events:,} records)", ("way", "records/s"), list(rates.items()), ratios)


def growth(stack: LocalStack, quick: bool) -> Section:
    """How the fold's rate changes with the number of events, partitions and streams."""
    loads = [Load(events=10_000), Load(events=100_000)]
    if not quick:
        loads += [Load(events=1_000_000)]
        loads += [Load(events=100_000, partitions=count) for count in (1, 16)]
        loads += [Load(events=100_000, members=count) for count in (10, 1_000, 100_000)]
    rows = []
    for load in loads:
        rate = _medians(stack, load, [("eventfold", "fold")], 1)["eventfold"]
        rows.append((f"{load.events:,}", load.partitions, load.members, rate))
    return Section("How the fold's rate changes", ("events", "partitions", "streams", "events/s"), rows, [])


def visible_after(stack: LocalStack, quick: bool) -> Section:
    """Command to visible, at a fixed rate, over gRPC and through the gateway, compared with the shortest possible
    chain."""
    pace = {"per_s": 20.0, "warm_up_s": 3.0, "seconds": 5.0} if quick else {"warm_up_s": 10.0, "seconds": 60.0}
    rates = (pace.pop("per_s"),) if quick else RATES_PER_S
    with bare_chain.running_chain(stack) as (target, crowd):
        over = asyncio.run(visible.over_grpc(target, crowd, per_s=rates[0], **pace))
    bare = ("bare chain, gRPC", *over.values(), _within(over))
    stack.up()
    target = stack.environment("identity")["CATALOG_TARGET"]
    rows: list[tuple[Any, ...]] = []
    for per_s in rates:
        crowd = visible.gathered(stack.around.public_url)  # anew for each rate: access tokens last only ten minutes
        over = asyncio.run(visible.over_grpc(target, crowd, per_s=per_s, **pace))
        rows.append(("gRPC", *over.values(), _within(over)))
        over = asyncio.run(visible.over_gateway(stack.around.public_url, crowd, per_s=per_s, **pace))
        rows.append(("gateway", *over.values(), _within(over)))
    first = rows[:2]
    ratios = [Ratio(f"{row[0]} at {row[1]:.0f}/s: {P50_MS:.0f} ms / p50", P50_MS / row[4], 1.0) for row in first]
    ratios += [Ratio(f"{row[0]} at {row[1]:.0f}/s: {P99_MS:.0f} ms / p99", P99_MS / row[5], 1.0) for row in first]
    head = (
        "road",
        "commands/s",
        "visible",
        "failed",
        "p50 ms",
        "p99 ms",
        "generator's share of the machine",
        "in time",
    )
    return Section("Command to visible", head, [bare, *rows], ratios)


def recommendations(stack: LocalStack, quick: bool) -> Section:
    """From an event to the recommendations that know of it, and recommendations per second."""
    stack.up()
    pace = {"warm_up_s": 3.0, "seconds": 5.0} if quick else {"warm_up_s": 10.0, "seconds": 60.0}
    target, rows = stack.environment("identity")["RECO_TARGET"], list[tuple[Any, ...]]()
    for per_s in RECOMMENDED_PER_S[: 1 if quick else None]:
        crowd = visible.gathered(stack.around.public_url, RECOMMENDED_MEMBERS)
        over = asyncio.run(recommended.visible(stack.around.public_url, crowd, per_s=per_s, **pace))
        rows.append((f"visible in recommendations at {per_s:.0f} commands/s", over["p50_ms"], over["p99_ms"]))
        rows[-1] = (*rows[-1], over["failed"])
    asked = asyncio.run(recommended.per_second(target, visible.gathered(stack.around.public_url), pace["seconds"]))
    rows.append((f"{asked['per_s']:,.0f} recommendations/s", asked["p50_ms"], asked["p99_ms"], 0))
    ratios = [
        Ratio(f"event to recommendation: {VISIBLE_MS:.0f} ms / p99", VISIBLE_MS / rows[0][2], 1.0),
        Ratio(f"recommendations/s / {ANSWERS_PER_S:.0f}", asked["per_s"] / ANSWERS_PER_S, 1.0),
    ]
    return Section("Recommendations", ("what", "p50 ms", "p99 ms", "failed"), rows, ratios)


def trained(stack: LocalStack, quick: bool) -> Section:
    """From the tables of a million pairs to published factors."""
    return training(stack, 20_000, 1_000) if quick else training(stack, 1_000_000, 10_000)


def _within(found: dict[str, float]) -> str:
    """Whether a rate meets both targets."""
    return "yes" if not found["failed"] and found["p50_ms"] <= P50_MS and found["p99_ms"] <= P99_MS else "no"


def _name(peer: str, work: str) -> str:
    return f"{peer} per event" if work == "per-event" else peer


def _medians(stack: LocalStack, load: Load, contests: Sequence[tuple[str, str]], repeats: int) -> dict[str, float]:
    """The median rate of each contestant. They run in turn, each time on fresh tables."""
    running.produce(stack, load)
    rates: dict[str, list[float]] = {_name(*contest): [] for contest in contests}
    for _ in range(repeats):
        for peer, work in contests:
            rate = running.consume(stack, load, peer, work).per_s
            print(f"{work}: {peer} {rate:,.0f} events/s", file=sys.stderr, flush=True)
            rates[_name(peer, work)].append(rate)
    return {name: statistics.median(found) for name, found in rates.items()}


def _medians_of(turns: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
