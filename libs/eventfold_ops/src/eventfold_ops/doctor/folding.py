"""Checks of the folds: Kafka can serve every handler from its position, and every handler with waiting records
moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition

from eventfold import Connection
from eventfold.errors import TopicLost
from eventfold.fold.crossing import chosen
from eventfold.fold.deadletter import MAX_PARKED_BYTES, MAX_PARKED_RECORDS
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.cluster import Cluster
from eventfold_ops.doctor.finding import Finding, broken, ok, warning
from eventfold_ops.output import age

WATCH_S = 3.0
"""How long positions are watched before a handler with lag is said to stand still."""
LOOK_EVERY_S = 0.2
QUIET_S = 10.0
"""A partition that has not moved for this long stands still, even if other partitions of its handler move."""

_POSITIONS = """SELECT projection, topic, partition, next_offset,
       extract(epoch FROM clock_timestamp() - applied_at)::float8 FROM fold_position"""
_PARKED = """SELECT projection, count(*), count(DISTINCT record_key),
       extract(epoch FROM clock_timestamp() - min(parked_at))::float8, sum(octet_length(value))::bigint
FROM dead_letter GROUP BY projection ORDER BY projection"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A handler's position on one partition; `quiet_s` is the time since it last moved, None if it never did."""

    next_offset: int = 0
    quiet_s: float | None = None


HandlerPartition = tuple[str, TopicPartition]
Positions = Mapping[HandlerPartition, Stored]


async def findings(conn: Connection, deployment: Deployment, cluster: Cluster, before: Positions) -> list[Finding]:
    """Gaps and lag of every handler and topic. Watches for up to `WATCH_S` if records wait.

    `before` must have been read before `cluster`: a later position may be above the ends known by then. Moves are
    counted only from now on, because a handler that moved earlier may have halted since.
    """
    pairs, lost = _read(deployment, cluster, before)
    now = await positions(conn)
    waiting = {pair: _waiting(now, cluster, *pair) for pair in pairs}
    after = await _watched(conn, now, [place for places in waiting.values() for place in places])
    found = [
        finding
        for pair in pairs
        for finding in [*_gaps(before, cluster, *pair), _progress(pair, waiting[pair], now, after)]
    ]
    return [*lost, *found]


def _read(deployment: Deployment, cluster: Cluster, stored: Positions) -> tuple[list[tuple[str, str]], list[Finding]]:
    """Each handler with the generation of each topic that it reads, and findings for lost generations."""
    pairs, lost = [], []
    reached = {(name, place.topic) for name, place in stored}
    for wanted in [(one.name, deployment.topic_prefix + topic) for one in deployment.handlers for topic in one.topics]:
        try:
            pairs.append((wanted[0], chosen([wanted], reached, cluster.topics)[wanted]))
        except TopicLost as failure:
            advice = "run `prepare` of the service that emits it: its relay fills it again"
            lost.append(broken(f"{wanted[0]} on {wanted[1]}", str(failure), advice))
    return pairs, lost


async def positions(conn: Connection) -> Positions:
    """Every handler's position on every partition."""
    rows = await (await conn.execute(_POSITIONS)).fetchall()
    return {(name, TopicPartition(topic, n)): Stored(offset, quiet) for name, topic, n, offset, quiet in rows}


def _waiting(stored: Positions, cluster: Cluster, name: str, topic: str) -> dict[HandlerPartition, int]:
    """The partitions on which the handler has not applied everything, with the number of waiting records."""
    lags = {
        (name, place): cluster.ends[place] - stored.get((name, place), Stored()).next_offset
        for place in cluster.places(topic)
    }
    return {place: lag for place, lag in lags.items() if lag > 0}


async def _watched(conn: Connection, before: Positions, lagging: Sequence[HandlerPartition]) -> Positions:
    """The positions once all lagging ones have moved, or after `WATCH_S`."""
    after, deadline = before, time.monotonic() + WATCH_S
    while not all(_moved(place, before, after) for place in lagging) and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_EVERY_S)
        after = await positions(conn)
    return after


def _moved(place: HandlerPartition, before: Positions, after: Positions) -> bool:
    return after.get(place, Stored()).next_offset != before.get(place, Stored()).next_offset


def _progress(
    pair: tuple[str, str], waiting: Mapping[HandlerPartition, int], before: Positions, after: Positions
) -> Finding:
    check = f"{pair[0]} on {pair[1]}"
    if not waiting:
        return ok(check, "has applied everything")
    behind = f"{sum(waiting.values())} records behind"
    still = {place: after.get(place, Stored()).quiet_s for place in waiting if not _moved(place, before, after)}
    if len(still) < len(waiting):  # a worker is busy with one partition after the other
        still = {place: quiet for place, quiet in still.items() if quiet is not None and quiet > QUIET_S}
    if not still:
        return ok(check, f"{behind} and moving")
    quiet = [one for one in still.values() if one is not None]
    says = f"{behind} and stands still on {len(still)} partitions, last moved {_ago(quiet)}"
    return broken(check, says, "see the worker's log: it has halted, or does not run")


def _ago(quiet_s: Sequence[float]) -> str:
    return f"{age(min(quiet_s))} ago" if quiet_s else "never"


def _gaps(stored: Positions, cluster: Cluster, name: str, topic: str) -> list[Finding]:
    found = [_gap(stored.get((name, place), Stored()).next_offset, cluster, place) for place in cluster.places(topic)]
    advice = "its relay sends again what it lacks, and the worker finds its place by itself: see that both run"
    return [broken(f"offsets of {name} on {topic}", says, advice) for says in found if says]


def _gap(next_offset: int, cluster: Cluster, place: TopicPartition) -> str:
    begin, end = cluster.begins[place], cluster.ends[place]
    if next_offset < begin:
        return f"partition {place.partition}: next is {next_offset}, but the topic begins at {begin}"
    if next_offset > end:
        return f"partition {place.partition}: next is {next_offset}, but the topic ends at {end}: it was made anew"
    return ""


async def dead_letters(conn: Connection, _: Deployment) -> list[Finding]:
    """Parked records by projection."""
    rows = await (await conn.execute(_PARKED)).fetchall()
    return [_parked(*row) for row in rows] or [ok("dead letters", "none parked")]


def _parked(name: str, count: int, keys: int, oldest_s: float, size_bytes: int) -> Finding:
    says = f"{count} records of {keys} keys parked, the oldest for {age(oldest_s)}"
    full = count >= MAX_PARKED_RECORDS or size_bytes >= MAX_PARKED_BYTES
    if full:
        says += f"; {size_bytes:,} bytes: with one more the worker halts"
    return (broken if full else warning)(f"dead letters of {name}", says, f"correct the fold, then: dlq list {name}")
