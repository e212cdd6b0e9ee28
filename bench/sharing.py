"""One worker and two of the same group on the same records, by the positions that they keep.

The workers join while positions may be read but not written, so that all of them have their partitions, and a fetch in
hand, before the clock starts. It ends when the positions add up to the load. `python -m bench.sharing URL BOOTSTRAP
TOPIC GROUP` is one worker, and runs until it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import psycopg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from psycopg_pool import AsyncConnectionPool

from bench import running
from bench.beside import TURNS
from bench.oracle import check
from bench.report import Ratio, Section
from bench.workload import COUNTERS, PAIRS, Load, views
from contracts.avro import AvroCodec
from eventfold import FoldGroup
from eventfold.fold.runner import FoldRunner
from eventfold.fold.worker import fold_app, run
from eventfold.publish.brokers import Brokers
from lyceum_local.stack import LocalStack

EVENTS, QUICK_EVENTS = 1_000_000, 50_000
JOIN_WITHIN_S, FOLD_WITHIN_S = 60.0, 300.0
LOOK_EVERY_S, JOIN_LOOK_EVERY_S = 0.02, 0.2


def workers(stack: LocalStack, quick: bool) -> Section:
    """One worker and two, in turn, on the cores of this machine, which PostgreSQL and Kafka want, too."""
    load = Load(events=QUICK_EVENTS if quick else EVENTS)
    running.produce(stack, load)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(1 if quick else TURNS):
        for count, found in rates.items():
            found.append(rate(stack, load, count))
            print(f"workers: {count}: {found[-1]:,.0f} events/s", file=sys.stderr, flush=True)
    medians = {count: statistics.median(found) for count, found in rates.items()}
    rows = [(count, medians[count], min(found), max(found)) for count, found in rates.items()]
    title = f"Workers of one group ({load.events:,} events, {load.partitions} partitions)"
    ratio = Ratio("workers: two / one", medians[2] / medians[1])
    return Section(title, ("workers", "events/s", "lowest", "highest"), rows, [ratio])


def rate(stack: LocalStack, load: Load, count: int) -> float:
    """Events a second of so many workers together. Raises WrongRows if they leave other rows than the load has, and
    TimeoutError if they do not join or do not come to the end."""
    url, group = running.fresh_schema(stack, [PAIRS.create_sql, COUNTERS.create_sql]), f"bench-{uuid.uuid4().hex[:8]}"
    command = [sys.executable, "-m", "bench.sharing", url, stack.kafka_bootstrap, load.topic, group]
    with contextlib.ExitStack() as began, psycopg.connect(url) as conn:
        with conn.transaction():
            conn.execute("LOCK TABLE fold_position IN EXCLUSIVE MODE")  # may be read
            for _ in range(count):
                began.enter_context(_running(command))
            asyncio.run(_joined(stack.brokers, group, count))
            started = time.monotonic()
        while _folded(conn) < load.events:
            if time.monotonic() - started > FOLD_WITHIN_S:
                raise TimeoutError(f"{count} workers are not done after {FOLD_WITHIN_S:g} s")
            time.sleep(LOOK_EVERY_S)
        seconds = time.monotonic() - started
    check(url, load, running.SEED, counts=True, position=True)
    return load.events / seconds


def _folded(conn: psycopg.Connection) -> int:
    row = conn.execute("SELECT coalesce(sum(next_offset), 0) FROM fold_position").fetchone()
    conn.commit()
    return int(row[0]) if row else 0


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[None]:
    around = running.contestant_environment(os.environ)
    process = subprocess.Popen(command, env=around, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def _joined(brokers: Brokers, group: str, count: int) -> None:
    """Wait until so many workers have shared the partitions out."""
    admin = AIOKafkaAdminClient(**brokers.client())
    await admin.start()
    try:
        for _ in range(int(JOIN_WITHIN_S / JOIN_LOOK_EVERY_S)):
            with contextlib.suppress(KafkaError):  # a new broker has no coordinator yet
                if await _members(admin, group) == ("Stable", count):
                    return
            await asyncio.sleep(JOIN_LOOK_EVERY_S)
    finally:
        await admin.close()
    raise TimeoutError(f"{count} workers have not joined within {JOIN_WITHIN_S:g} s")


async def _members(admin: AIOKafkaAdminClient, group: str) -> tuple[str, int]:
    [answer] = await admin.describe_consumer_groups([group])
    _, _, state, _, _, members, *_ = answer.groups[0]
    return state, len(members)


def main(url: str, bootstrap: str, topic: str, group: str) -> None:
    """A worker of the group."""
    pool = AsyncConnectionPool(url, min_size=1, max_size=2, open=False, kwargs={"autocommit": True})
    groups = [FoldGroup("bench", (views(topic),))]
    runner = FoldRunner(worker=group, pool=pool, avro=AvroCodec(), groups=groups)
    run(fold_app(group=group, brokers=Brokers(bootstrap), runner=runner, pool=pool), loglevel="ERROR")


if __name__ == "__main__":
    main(*sys.argv[1:])
