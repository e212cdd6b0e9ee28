"""The fold beside peers on the JVM, and beside PostgreSQL alone: the same records into the same tables, in turn."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence

from bench import jvm, running
from bench.report import Ratio, Section, load_before
from bench.running import Rate
from bench.workload import Load
from lyceum_local.stack import LocalStack

TURNS = 3
EVENTS, QUICK_EVENTS = 200_000, 50_000
HEAD = ("contestant", "events/s", "events/s of the later half", "lowest", "highest", "own processor us", "rows are")
ROWS_ARE = {"kafka-connect": "the keys; 1 view each"}
RIGHT = "all right, and the position"
WANTED = {"jvm-loop": (1.0,), running.POSTGRES_ALONE: (0.5,)}
"""At least so many times as fast."""
PEERS = ("jvm-loop", "kafka-streams", "kafka-connect", running.POSTGRES_ALONE)
SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (10_000,)
OF_EACH_SIZE = ("eventfold", "eventfold-general", "jvm-loop", running.POSTGRES_ALONE)


def folds(stack: LocalStack, quick: bool) -> Section:
    """Ours, a plain loop on the JVM, Kafka Streams, Kafka Connect's JDBC sink, and PostgreSQL alone."""
    load = Load(events=QUICK_EVENTS if quick else EVENTS)
    contestants, notes = _present(("eventfold", *PEERS))
    return section(load.events, _in_turn(stack, load, contestants), notes)


def sizes(stack: LocalStack, quick: bool) -> Section:
    """From a little to much: ours as sets and in the general form, the JVM loop, and PostgreSQL alone."""
    contestants, notes = _present(OF_EACH_SIZE)
    rows = []
    for events in QUICK_SIZES if quick else SIZES:
        rates = _in_turn(stack, Load(events=events), contestants)
        rows.append((f"{events:,}", *(statistics.median(one.per_s for one in rates[name]) for name in contestants)))
    title = f"The fold from {rows[0][0]} to {rows[-1][0]} events (events/s, medians of {TURNS})"
    return Section(title, ("events", *contestants), rows, [], notes)


def _present(wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of these contestants that can run here, and what must be said of the machine and the others."""
    reason, notes = jvm.missing(), [load_before()]
    absent = [name for name in wanted if reason and name in jvm.PEERS]
    if absent:
        notes += [f"Left out: {', '.join(absent)}, because {reason}."]
        print(f"bench: {notes[-1]}", file=sys.stderr, flush=True)
    return [name for name in wanted if name not in absent], notes


def section(events: int, rates: Mapping[str, Sequence[Rate]], notes: Sequence[str]) -> Section:
    """The table of all runs, and the ratios of the medians."""
    medians = {name: statistics.median(one.per_s for one in runs) for name, runs in rates.items()}
    ratios = [
        Ratio(f"fold: eventfold / {peer}", medians["eventfold"] / medians[peer], *WANTED.get(peer, ()))
        for peer in PEERS
        if peer in medians
    ]
    title = f"Fold beside the JVM and PostgreSQL alone ({events:,} events, medians of {TURNS})"
    return Section(title, HEAD, [_row(name, runs) for name, runs in rates.items()], ratios, notes)


def _row(name: str, runs: Sequence[Rate]) -> tuple[object, ...]:
    all_of_it = [one.per_s for one in runs]
    later, cpu_us = (
        statistics.median(each) for each in zip(*((one.later_per_s, one.cpu_us) for one in runs), strict=True)
    )
    found = statistics.median(all_of_it), later, min(all_of_it), max(all_of_it), cpu_us
    return (name, *found, ROWS_ARE.get(name, RIGHT))


def _in_turn(stack: LocalStack, load: Load, contestants: Sequence[str]) -> dict[str, list[Rate]]:
    running.produce(stack, load)
    rates: dict[str, list[Rate]] = {name: [] for name in contestants}
    for _ in range(TURNS):
        for name in contestants:
            rates[name].append(running.consume(stack, load, name, "fold"))
            print(f"fold: {name} {rates[name][-1].per_s:,.0f} events/s", file=sys.stderr, flush=True)
    return rates
