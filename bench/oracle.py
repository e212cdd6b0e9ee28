"""What the tables must hold after a run: counted from the workload itself, by none of the contestants' code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg

from bench.workload import Load, pairs

PAIR_ROWS = "SELECT member_id, content_id, views FROM bench_pair"
COUNTER_ROWS = "SELECT content_id, views FROM bench_counter"
POSITIONS = "SELECT coalesce(sum(next_offset), 0) FROM fold_position WHERE topic = %s"


class WrongRows(Exception):
    """A contestant left other rows than the workload has: its time counts for nothing."""


@dataclass(frozen=True)
class Expected:
    """Views by member and content, and by content."""

    pairs: Mapping[tuple[str, str], int]
    counters: Mapping[str, int]


@cache
def expected(load: Load, seed: int) -> Expected:
    """The rows of a load."""
    views = list(pairs(load, seed))
    return Expected(Counter(views), Counter(content_id for _, content_id in views))


def check(url: str, load: Load, seed: int, *, counts: bool = True, position: bool = True) -> None:
    """Raise WrongRows unless the tables at `url` hold the load: the keys, with `counts` the views of each, and with
    `position` the offset after the last record."""
    wanted = expected(load, seed)
    with psycopg.connect(url) as conn:
        found_pairs = {(member, content): views for member, content, views in conn.execute(PAIR_ROWS)}
        found_counters: dict[str, int] = dict(conn.execute(COUNTER_ROWS).fetchall())
        applied = int(_one(conn.execute(POSITIONS, [load.topic]).fetchone()))
    compare("bench_pair", found_pairs, wanted.pairs, counts=counts)
    compare("bench_counter", found_counters, wanted.counters, counts=counts)
    if position and applied != load.events:
        raise WrongRows(f"fold_position says {applied} of {load.events} events")


def compare(table: str, found: Mapping[Any, int], wanted: Mapping[Any, int], *, counts: bool) -> None:
    """Raise WrongRows unless the keys are the same, and with `counts` their views."""
    if found.keys() != wanted.keys():
        missing, more = len(wanted.keys() - found.keys()), len(found.keys() - wanted.keys())
        raise WrongRows(f"{table}: {missing} of {len(wanted)} rows are missing, and {more} are of no event")
    wrong = sum(found[key] != views for key, views in wanted.items()) if counts else 0
    if wrong:
        raise WrongRows(f"{table}: {wrong} of {len(wanted)} rows have other views")


def _one(row: Any) -> Any:
    return row[0]
