"""All checks of a deployment, in the order in which their causes lie."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from aiokafka.errors import KafkaError
from psycopg import OperationalError

from eventfold.store import Connection
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor import folding, numbering, reading, relaying, storing, topics, waiting, witnessing
from eventfold_ops.doctor.cluster import Cluster, look
from eventfold_ops.doctor.finding import Finding, broken, ok

CONNECT_S = 10.0
Check = Callable[[Connection, Deployment], Awaitable[list[Finding]]]
WHOLE_STORE_CHECKS: Sequence[Check] = (numbering.sequence, storing.types)
"""Each reads the events table from end to end: on a large store that takes minutes."""
STORE_CHECKS: Sequence[Check] = (storing.read_tables, storing.subject_keys, relaying.findings, folding.dead_letters,
                                 waiting.due_dates)  # fmt: skip


async def examine(deployment: Deployment, *, quick: bool = False) -> list[Finding]:
    """What every check found; `quick` leaves out what reads the store or a topic
    from end to end. Changes nothing, and never raises for an absent
    part. Reads the events table twice, and before Kafka is asked, for what Kafka says is soon out of date."""
    async with AsyncExitStack() as stack:
        conn, findings = await _store(deployment, stack)
        findings += [] if quick else await _all(WHOLE_STORE_CHECKS, conn, deployment)
        before = {} if conn is None else await folding.positions(conn)
        cluster, kafka = await _cluster(deployment)
        findings += [kafka, *await _all(STORE_CHECKS, conn, deployment)]
        if cluster is not None:
            findings += topics.shapes(deployment, cluster) + await reading.findings(deployment, cluster)
        if conn is not None and cluster is not None:
            findings += await topics.heads(conn, deployment, cluster)
            findings += await witnessing.ends(conn, deployment, cluster)
            findings += [] if quick else await witnessing.whole(conn, deployment, cluster)
            findings += await folding.findings(conn, deployment, cluster, before)
    return findings


async def _all(checks: Sequence[Check], conn: Connection | None, deployment: Deployment) -> list[Finding]:
    """What these checks found; nothing where there is no store to look at."""
    return [] if conn is None else [finding for check in checks for finding in await check(conn, deployment)]


async def _store(deployment: Deployment, stack: AsyncExitStack) -> tuple[Connection | None, list[Finding]]:
    """A connection, unless the database is away or has not been prepared."""
    try:
        async with asyncio.timeout(CONNECT_S):
            conn = await stack.enter_async_context(await deployment.connect())
    except (OperationalError, TimeoutError) as failure:
        reason = " ".join(str(failure).split()) or f"no answer within {CONNECT_S:.0f} s"
        return None, [broken("PostgreSQL", reason, "start it, or correct DATABASE_URL; its checks were left out")]
    tables = await storing.tables(conn)
    if tables.state != "ok":
        return None, [ok("PostgreSQL", "answers"), tables]
    return conn, [ok("PostgreSQL", "answers"), tables, *await numbering.trigger(conn, deployment)]


async def _cluster(deployment: Deployment) -> tuple[Cluster | None, Finding]:
    try:
        return await look(deployment), ok("Kafka", "answers")
    except (KafkaError, TimeoutError) as failure:
        advice = "start it, or correct KAFKA_BOOTSTRAP; its checks were left out"
        return None, broken("Kafka", " ".join(str(failure).split()) or "does not answer", advice)
