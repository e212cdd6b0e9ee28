"""Runs contestants as processes, in this environment or in the peers' own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from aiokafka import AIOKafkaProducer

from bench.environments import made
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
_produced: set[tuple[Path, str]] = set()


def peers_python() -> str:
    """The interpreter of the peers' environment, which the first call makes from hashed requirements."""
    return made("bench-peers", REQUIREMENTS)


def last_line(command: Sequence[str]) -> dict[str, Any]:
    """Run a command to its end and parse the last line that it prints."""
    paths = [ROOT, ROOT / "libs/eventfold/src", ROOT / "libs/contracts/src"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
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
        for one in records(load, seed=42):
            partition = partition_of(one.key, load.partitions)
            await producer.send(load.topic, one.value, key=one.key, partition=partition, headers=one.headers)
        await producer.flush()
    finally:
        await producer.stop()


def consume(stack: LocalStack, load: Load, peer: str, work: str) -> float:
    """Events per second of one contestant, on fresh tables."""
    url = fresh_schema(stack, [PAIRS.create_sql, COUNTERS.create_sql])
    python, module = (sys.executable, "bench.consuming") if peer in OURS else (peers_python(), "bench.peers.consuming")
    command = [python, "-m", module, peer, work, url, stack.kafka_bootstrap, load.topic, str(load.events)]
    timed = last_line(command)
    return float(timed["events"]) / float(timed["seconds"])


def fresh_schema(stack: LocalStack, tables: Sequence[str] = ()) -> str:
    """A new schema with eventfold's own tables and `tables`; returns its URL."""
    name = f"bench{uuid.uuid4().hex[:8]}"
    with psycopg.connect(stack.admin_url, autocommit=True) as conn:
        conn.execute(f"CREATE SCHEMA {name}")
        conn.execute(f"SET search_path = {name}")
        for statement in [*schema.all_statements(), *tables]:
            conn.execute(statement)
    return f"{stack.admin_url}?options=-csearch_path%3D{name}"
