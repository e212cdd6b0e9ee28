"""How much machine a number of members needs: unit costs that were measured, times assumptions that are written down.

`python -m bench.capacity` prints the tables of docs/capacity.md; with other assumptions:
`python -m bench.capacity --members 5000000 --daily-active 0.3`.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields

DAY_S, YEAR_DAYS = 86_400, 365
GIB = 2**30
SIZES = (20_000, 1_000_000, 100_000_000)


@dataclass(frozen=True)
class Assumed:
    """What members do. `peak` is the busiest hour against the day's mean."""

    daily_active: float = 0.2
    reads_a_day: float = 30.0
    commands_a_day: float = 14.0
    events_a_command: float = 1.1
    orders_a_day: float = 0.05
    events_an_order: float = 3.0
    peak: float = 4.0
    used_share: float = 0.7
    """How full a processor may be at the peak."""
    replicas: int = 3
    years_kept: float = 3.0
    read_tables_kept_days: float = 400.0
    """Rows of read tables that grow with every event are kept so long; what is of a member or content stays."""


@dataclass(frozen=True)
class Costs:
    """What was measured on the 2 cores of docs/benchmarks.md, in thousandths of a second of processor and bytes; the
    storage on the demonstration's data (48,227 events)."""

    command_server_ms: float = 3.9
    command_database_ms: float = 2.0
    command_kafka_ms: float = 1.6
    command_gateway_ms: float = 1.5
    event_folds_ms: float = 2.8
    read_server_ms: float = 2.5
    read_database_ms: float = 0.6
    read_gateway_ms: float = 1.2
    relay_events_per_s: float = 60_000.0
    store_commits_per_s: float = 4_000.0
    fold_events_per_s: float = 11_600.0
    """Of the slowest group, metrics' activity: nearly every event has a row of its own."""
    store_bytes_an_event: float = 893.0
    table_bytes_an_event: float = 1_240.0
    topic_bytes_an_event: float = 778.0


@dataclass(frozen=True)
class Prices:
    """Of a month, in US dollars: a round figure of what the large clouds ask (2026); replace it by yours."""

    core: float = 25.0
    gib_of_memory: float = 3.5
    gib_of_disk: float = 0.10


MEMORY_GIB_A_CORE = 3.0
"""Databases, brokers and servers together, as in the manifests' requests."""


@dataclass(frozen=True)
class Need:
    """What it comes to, at the peak, after `years_kept`."""

    members: int
    commands_per_s: float
    reads_per_s: float
    events_per_s: float
    cores: dict[str, float]
    relay_share: float
    """Of what one relay sends, if one service recorded all events."""
    store_share: float
    """Of what one database commits, if one service recorded all commands."""
    partitions: int
    """That the slowest group of folds needs, a worker for each."""
    store_gib: float
    tables_gib: float
    topics_gib: float
    dollars_a_month: float

    @property
    def all_cores(self) -> float:
        """Of everything."""
        return sum(self.cores.values())


def need(members: int, assumed: Assumed, costs: Costs, prices: Prices) -> Need:
    """The arithmetic; nothing is hidden in it."""
    active = members * assumed.daily_active
    commands_a_day = active * (assumed.commands_a_day + assumed.orders_a_day)
    events_a_day = active * (
        assumed.commands_a_day * assumed.events_a_command + assumed.orders_a_day * assumed.events_an_order
    )
    commands, reads, events = (
        count * assumed.peak / DAY_S for count in (commands_a_day, active * assumed.reads_a_day, events_a_day)
    )
    cores = _cores(commands, reads, events, assumed, costs)
    stored = events_a_day * YEAR_DAYS * assumed.years_kept
    kept = events_a_day * min(assumed.read_tables_kept_days, YEAR_DAYS * assumed.years_kept)
    sizes = (
        stored * costs.store_bytes_an_event / GIB,
        kept * costs.table_bytes_an_event / GIB,
        stored * costs.topic_bytes_an_event / GIB,
    )
    disks = sum(sizes) * assumed.replicas
    every = sum(cores.values())
    return Need(
        members=members,
        commands_per_s=commands,
        reads_per_s=reads,
        events_per_s=events,
        cores=cores,
        relay_share=events / costs.relay_events_per_s,
        store_share=commands / costs.store_commits_per_s,
        partitions=max(1, math.ceil(events / (costs.fold_events_per_s * assumed.used_share))),
        store_gib=sizes[0],
        tables_gib=sizes[1],
        topics_gib=sizes[2],
        dollars_a_month=every * (prices.core + MEMORY_GIB_A_CORE * prices.gib_of_memory) + disks * prices.gib_of_disk,
    )


def _cores(commands: float, reads: float, events: float, assumed: Assumed, costs: Costs) -> dict[str, float]:
    """Processors by part, at the share of them that may be used. Replicas of databases and brokers do the writing
    again."""
    ms = {
        "gateway": commands * costs.command_gateway_ms + reads * costs.read_gateway_ms,
        "servers": commands * costs.command_server_ms + reads * costs.read_server_ms,
        "folds": events * costs.event_folds_ms,
        "databases": commands * costs.command_database_ms * assumed.replicas + reads * costs.read_database_ms,
        "brokers": commands * costs.command_kafka_ms * assumed.replicas,
    }
    return {name: value / 1000 / assumed.used_share for name, value in ms.items()}


def tables(sizes: Sequence[int], assumed: Assumed, costs: Costs, prices: Prices) -> str:
    """The model in Markdown: what it comes to, and which limits it meets."""
    needs = [need(members, assumed, costs, prices) for members in sizes]
    head = f"| members | {' | '.join(f'{one.members:,}' for one in needs)} |\n|---|{'---:|' * len(needs)}"
    parts = [(f"processors: {name}", [_count(one.cores[name]) for one in needs]) for name in needs[0].cores]
    rows = [
        ("commands a second, busiest hour", [_count(one.commands_per_s) for one in needs]),
        ("reads a second", [_count(one.reads_per_s) for one in needs]),
        ("events a second", [_count(one.events_per_s) for one in needs]),
        *parts,
        ("processors in all", [_count(one.all_cores) for one in needs]),
        ("event stores after the years kept, GiB, one copy", [_count(one.store_gib) for one in needs]),
        ("read tables, GiB, one copy", [_count(one.tables_gib) for one in needs]),
        ("topics, GiB, one copy", [_count(one.topics_gib) for one in needs]),
        ("share of one relay", [f"{one.relay_share:.2%}" for one in needs]),
        ("share of one service's database, in commits", [f"{one.store_share:.1%}" for one in needs]),
        ("partitions that the slowest fold needs", [f"{one.partitions}" for one in needs]),
        ("dollars a month", [_count(one.dollars_a_month) for one in needs]),
        ("dollars a month for 1,000 members", [f"{one.dollars_a_month / one.members * 1000:.2f}" for one in needs]),
    ]
    return "\n".join([head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)])


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: each assumption is an option."""
    parser = argparse.ArgumentParser(prog="bench.capacity", description=__doc__)
    parser.add_argument("--members", type=int, action="append", help="how many; may be said several times")
    for one in fields(Assumed):
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default)
    told = vars(parser.parse_args(arguments))
    members = told.pop("members") or SIZES
    sys.stdout.write(tables(members, Assumed(**told), Costs(), Prices()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
