"""Runs contestants as processes, in this environment or in the peers' own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from aiokafka import AIOKafkaProducer

from bench import jvm
from bench.environments import made
from bench.oracle import check
from bench.workload import COUNTERS, PAIRS, Load, records
from eventfold.postgres import schema
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import partition_of
from eventfold.publish.topics import prepare_topics
from lyceum_local.stack import LocalStack

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "bench" / "peers" / "requirements.txt"
TIMEOUT_S = 900
OURS = ("bare", "eventfold", "eventfold-general", "stock-faust")
POSTGRES_ALONE = "postgres-alone"
ONLY_KEYS = ("kafka-connect",)
"""Contestants that cannot add to a row, and keep no position in the database."""
SEED = 42
_produced: set[tuple[Path, str]] = set()


def peers_python() -> str:
    """The interpreter of the peers' environment, which the first call makes from hashed requirements."""
    return made("bench-peers", REQUIREMENTS)


def contestant_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """This environment, with the bench and what it measures to be imported from here."""
    paths = [ROOT, ROOT / "libs/eventfold/src", ROOT / "libs/contracts/src"]
    return {**environment, "PYTHONPATH": os.pathsep.join(map(str, paths))}


def last_line(command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a command to its end, in this process's environment if none is given, and parse the last line that it
    prints."""
    around = contestant_environment(environment or os.environ)
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, env=around)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def produce(stack: LocalStack, load: Load) -> None:
    """Put the load on its topic, once per stack."""
    if (stack.data_dir, load.topic) not in _produced:
        print(f"producing {load.topic}", file=sys.stderr, flush=True)
        asyncio.run(_produce(stack.brokers, load))
        _produced.add((stack.data_dir, load.topic))


async def _produce(brokers: Brokers, load: Load) -> None:
    await prepare_topics(brokers, [load.topic], partitions=load.partitions)
    producer = AIOKafkaProducer(**brokers.client(), linger_ms=20, max_batch_size=500_000)
    await producer.start()
    try:
        for one in records(load, SEED):
            partition = partition_of(one.key, load.partitions)
            await producer.send(load.topic, one.value, key=one.key, partition=partition, headers=one.headers)
        await producer.flush()
    finally:
        await producer.stop()


@dataclass(frozen=True)
class Rate:
    """Events per second of one run: of all of it, and of its later half; and what the contestant's own process, without
    PostgreSQL and Kafka, used of a processor for each event, which other work on the machine changes less."""

    per_s: float
    later_per_s: float
    cpu_us: float


def consume(stack: LocalStack, load: Load, peer: str, work: str) -> Rate:
    """The rate of one contestant, on fresh tables. Raises WrongRows if it leaves other rows than the load has."""
    url = fresh_schema(stack, [PAIRS.create_sql, COUNTERS.create_sql])
    environment = jvm.environment(url) if peer in jvm.PEERS else None
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        timed = last_line(_command(stack, load, peer, work, url, scratch), environment)
    if work in ("fold", "per-event"):
        counts = peer not in ONLY_KEYS
        check(url, load, SEED, counts=counts, position=counts and work == "fold")
    later = timed["later_events"] / timed["later_seconds"] if timed["later_events"] else float("nan")
    events = float(timed["events"])
    return Rate(events / float(timed["seconds"]), float(later), float(timed["cpu_seconds"]) / events * 1e6)


def _command(stack: LocalStack, load: Load, peer: str, work: str, url: str, scratch: str) -> Sequence[str]:
    if peer in jvm.PEERS:
        return jvm.command(peer, url, stack.kafka_bootstrap, load.topic, load.events, scratch)
    if peer == POSTGRES_ALONE:
        amounts = map(str, (load.events, load.partitions, load.members))
        return [sys.executable, "-m", "bench.upserting", url, *amounts]
    python, module = (sys.executable, "bench.consuming") if peer in OURS else (peers_python(), "bench.peers.consuming")
    return [python, "-m", module, peer, work, url, stack.kafka_bootstrap, load.topic, str(load.events)]


def fresh_schema(stack: LocalStack, tables: Sequence[str] = ()) -> str:
    """A new schema with eventfold's own tables and `tables`; returns its URL."""
    name = f"bench{uuid.uuid4().hex[:8]}"
    with psycopg.connect(stack.admin_url, autocommit=True) as conn:
        conn.execute(f"CREATE SCHEMA {name}")
        conn.execute(f"SET search_path = {name}")
        for statement in [*schema.all_statements(), *tables]:
            conn.execute(statement)
    return f"{stack.admin_url}?options=-csearch_path%3D{name}"
