"""`eventfold events` and `eventfold sizes`: what somebody or one request caused in a service, and how much it holds.

Neither shows what is inside an event: that may be sealed, and belongs to whoever may read it.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import dict_row

from eventfold.publish.generations import logical
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.cluster import look
from eventfold_ops.output import Refused, cut, say, say_json, table

MAX_LISTED = 1_000
USUAL_DAYS, MAX_DAYS = 7, 3_650
_COLUMNS = """SELECT recorded_at, type, stream, version, meta->>'actor' AS actor,
  meta->>'correlation_id' AS correlation_id, meta->>'causation_id' AS causation_id FROM events"""
_OF_MEMBER = "(meta->>'actor' = %(member)s OR partition_key = %(member)s OR right(stream, %(length)s) = %(suffix)s)"
_CONDITIONS = {
    "member": _OF_MEMBER,
    "correlation": "meta->>'correlation_id' = %(correlation)s",
    "stream": "stream = %(stream)s",
}
_SIZES = """SELECT c.relname AS name, greatest(c.reltuples, 0)::bigint AS rows_about,
  pg_total_relation_size(c.oid) AS bytes, pg_indexes_size(c.oid) AS index_bytes
FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
ORDER BY bytes DESC, name"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`events`, `sizes`."""
    looking = commands.add_parser(
        "events", help="what a member, or one request, caused: type, stream, time, no content"
    )
    which = looking.add_mutually_exclusive_group(required=True)
    which.add_argument("--member", metavar="ID", help="what this member did, and what is about them")
    which.add_argument("--correlation", metavar="ID", help="what one request caused: its x-request-id")
    which.add_argument("--stream", metavar="NAME", help="the history of one stream, as content-…")
    looking.add_argument("--days", type=float, default=USUAL_DAYS, help=f"how far back; default {USUAL_DAYS}")
    looking.set_defaults(run=show_events)
    commands.add_parser("sizes", help="how large tables and topics are").set_defaults(run=show_sizes)


async def show_events(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """List at most `MAX_LISTED` events, the oldest first. Reads the store's events of these days. Raises `Refused`."""
    if not 0 < arguments.days <= MAX_DAYS:
        raise Refused(f"--days must be above 0 and at most {MAX_DAYS}")
    (kind,) = [name for name in _CONDITIONS if getattr(arguments, name)]
    value = getattr(arguments, kind)
    given: dict[str, Any] = {kind: value, "suffix": f"-{value}", "length": len(value) + 1}
    given |= {"since": datetime.now(UTC) - timedelta(days=arguments.days), "limit": MAX_LISTED + 1}
    query = f"{_COLUMNS} WHERE recorded_at >= %(since)s AND {_CONDITIONS[kind]} ORDER BY position LIMIT %(limit)s"
    async with await deployment.connect() as conn, conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, given)
        rows = cut(await cursor.fetchall(), MAX_LISTED)
    if arguments.json:
        say_json([{"service": deployment.name, **row} for row in rows])
        return 0
    head = ("RECORDED", "TYPE", "STREAM", "VERSION", "ACTOR", "CORRELATION", "CAUSED BY")
    cells = [[cell if cell is not None else "-" for cell in row.values()] for row in rows]
    say(table(head, cells) if rows else f"{deployment.name} has no such events of the last {arguments.days:g} days")
    return 0


async def show_sizes(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """The tables of the service with their rows as PostgreSQL estimates them, and the topics that it emits on with
    their records: Kafka's own tools tell bytes."""
    async with await deployment.connect() as conn, conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SIZES)
        tables = await cursor.fetchall()
    topics = await _topics(deployment)
    if arguments.json:
        say_json({"service": deployment.name, "tables": tables, "topics": topics})
        return 0
    say(table(("TABLE", "ROWS (ABOUT)", "MIB", "OF IT INDEXES"), [_row(one) for one in tables]))
    say("")
    say(table(("TOPIC", "PARTITIONS", "RECORDS"), [tuple(one.values()) for one in topics]))
    return 0


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return one["name"], one["rows_about"], _mib(one["bytes"]), _mib(one["index_bytes"])


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f}"


async def _topics(deployment: Deployment) -> list[dict[str, Any]]:
    """Every generation of the topics that the service emits on, by name."""
    own = {deployment.topic_prefix + topic for topic in deployment.topics}
    cluster = await look(deployment)
    return [
        {
            "name": name,
            "partitions": topic.partitions,
            "records": sum(cluster.ends[place] - cluster.begins[place] for place in cluster.places(name)),
        }
        for name, topic in sorted(cluster.topics.items())
        if logical(name) in own
    ]
