"""All checks of a deployment, ordered so that causes come before their effects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from aiokafka.errors import KafkaError
from psycopg import Error

from eventfold import Connection
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor import folding, numbering, reading, relaying, storing, topics, waiting, witnessing
from eventfold_ops.doctor.cluster import Cluster, look
from eventfold_ops.doctor.finding import Finding, broken, ok

CONNECT_S = 10.0
ADVICE = "start it, make room on its disk or correct DATABASE_URL, as its words say"
Check = Callable[[Connection, Deployment], Awaitable[list[Finding]]]
WHOLE_STORE_CHECKS: Sequence[Check] = (numbering.sequence, storing.types)
"""Each of them reads the whole events table, which takes minutes on a large store."""
STORE_CHECKS: Sequence[Check] = (
    storing.read_tables,
    storing.settings,
    storing.subject_keys,
    relaying.findings,
    folding.dead_letters,
    waiting.due_dates,
)


async def examine(deployment: Deployment, *, quick: bool = False) -> list[Finding]:
    """The findings of all checks. `quick` leaves out the checks that read the whole store or a whole topic. Changes
    nothing, and never raises for an absent part. Reads the events table twice, and before it asks Kafka, because
    Kafka's answers are soon out of date."""
    async with AsyncExitStack() as stack:
        conn, findings = await _store(deployment, stack)
        findings += [] if quick else await _all(WHOLE_STORE_CHECKS, conn, deployment)
        before, unread = await _positions(conn)
        findings += unread
        cluster, kafka = await _cluster(deployment)
        findings += [kafka, *await _all(STORE_CHECKS, conn, deployment)]
        if cluster is not None:
            findings += topics.shapes(deployment, cluster) + await reading.findings(deployment, cluster)
        if conn is not None and cluster is not None:
            findings += await _told(topics.heads(conn, deployment, cluster))
            findings += await _told(witnessing.ends(conn, deployment, cluster))
            findings += [] if quick else await _told(witnessing.whole(conn, deployment, cluster))
        if conn is not None and cluster is not None and before is not None:
            findings += await _told(folding.findings(conn, deployment, cluster, before))
    return findings


async def _all(checks: Sequence[Check], conn: Connection | None, deployment: Deployment) -> list[Finding]:
    """The findings of these checks; none if there is no store to look at."""
    if conn is None:
        return []
    return [finding for check in checks for finding in await _told(check(conn, deployment))]


async def _told(asked: Awaitable[list[Finding]]) -> list[Finding]:
    """The findings of a check. If PostgreSQL fails (a full disk, a broken connection), that failure is the finding."""
    try:
        return await asked
    except Error as failure:
        return [broken("PostgreSQL", _reason(failure), ADVICE)]


async def _positions(conn: Connection | None) -> tuple[folding.Positions | None, list[Finding]]:
    """The positions. None if there is no store; None with a finding if they cannot be read."""
    try:
        return (None if conn is None else await folding.positions(conn)), []
    except Error as failure:
        return None, [broken("PostgreSQL", _reason(failure), ADVICE)]


def _reason(failure: Exception) -> str:
    return " ".join(str(failure).split()) or type(failure).__name__


async def _store(deployment: Deployment, stack: AsyncExitStack) -> tuple[Connection | None, list[Finding]]:
    """A connection, unless the database is away or has not been prepared."""
    try:
        async with asyncio.timeout(CONNECT_S):
            conn = await stack.enter_async_context(await deployment.connect())
        tables = await storing.tables(conn)
    except (Error, TimeoutError) as failure:
        reason = f"no answer within {CONNECT_S:.0f} s" if isinstance(failure, TimeoutError) else _reason(failure)
        return None, [broken("PostgreSQL", reason, f"{ADVICE}; its checks were left out")]
    if tables.state != "ok":
        return None, [ok("PostgreSQL", "answers"), tables]
    return conn, [ok("PostgreSQL", "answers"), tables, *await _all([numbering.trigger], conn, deployment)]


async def _cluster(deployment: Deployment) -> tuple[Cluster | None, Finding]:
    try:
        return await look(deployment), ok("Kafka", "answers")
    except (KafkaError, TimeoutError) as failure:
        advice = "start it, or correct KAFKA_BOOTSTRAP; its checks were left out"
        return None, broken("Kafka", " ".join(str(failure).split()) or "does not answer", advice)
