"""`python -m bench [--quick]`: runs everything on a stack of its own and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import psycopg
from aiokafka import AIOKafkaProducer

from bench import appending, visible
from bench.report import Results, write_report
from bench.workload import COUNTERS, PAIRS, PARTITIONS, TOPIC, records
from eventfold import schema
from eventfold.topics import prepare_topics
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack

EVENTS, QUICK_EVENTS = 200_000, 20_000
STOCK_EVENTS = 5_000
PEER_TIMEOUT_S = 600
PASSWORD = "password123"  # noqa: S105 - of a stack that goes away
REPEATS = 3


def main() -> int:
    """Run; exit status 1 when a target of the design is missed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, nothing written")
    quick = parser.parse_args().quick
    events = QUICK_EVENTS if quick else EVENTS
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder), Ports.free(), prefix="b.")
        try:
            stack.start_backing()
            results = Results(events, folds(stack, events), appends(stack), latencies(stack))
        finally:
            stack.down()
    print(results.table())
    if not quick:
        write_report(Path("docs/benchmarks.md"), results)
    return 0 if results.all_met() else 1


def folds(stack: LocalStack, events: int) -> dict[str, float]:
    """Events a second of each peer: the median of `REPEATS` runs in turn, each on fresh tables."""
    print(f"fold: producing {events} records", file=sys.stderr)
    asyncio.run(_produce(stack.kafka_bootstrap, events))
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(REPEATS):
        for peer in ("bare", "eventfold"):
            rates[peer].append(_fold(stack, peer, events))
    rates["stock-faust"].append(_fold(stack, "stock-faust", min(events, STOCK_EVENTS)))
    return {peer: sorted(found)[len(found) // 2] for peer, found in rates.items()}


async def _produce(bootstrap: str, events: int) -> None:
    await prepare_topics(bootstrap, [TOPIC], partitions=PARTITIONS)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=500_000)
    await producer.start()
    try:
        for partition, record in records(events, seed=42):
            await producer.send(record.topic, record.value, key=record.key, partition=partition, headers=record.headers)
        await producer.flush()
    finally:
        await producer.stop()


def _fold(stack: LocalStack, peer: str, events: int) -> float:
    url = _fresh_schema(stack, [PAIRS.create_sql, COUNTERS.create_sql])
    command = [sys.executable, "-m", "bench.folding", peer, url, stack.kafka_bootstrap, str(events)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PEER_TIMEOUT_S, check=True)
    timed = json.loads(done.stdout.splitlines()[-1])
    rate = float(timed["events"]) / float(timed["seconds"])
    print(f"fold: {peer} {rate:,.0f} events/s", file=sys.stderr)
    return rate


def _fresh_schema(stack: LocalStack, tables: list[str]) -> str:
    name = f"bench{uuid.uuid4().hex[:8]}"
    with psycopg.connect(stack.admin_url, autocommit=True) as conn:
        conn.execute(f"CREATE SCHEMA {name}")
        conn.execute(f"SET search_path = {name}")
        for version in range(1, schema.VERSION + 1):
            schema.upgrade(conn.execute, version)
        for statement in tables:
            conn.execute(statement)
    return f"{stack.admin_url}?options=-csearch_path%3D{name}"


def appends(stack: LocalStack) -> dict[int, dict[str, float]]:
    """Commits a second by number of writers."""
    found = {}
    for writers in (1, 8, 32):
        found[writers] = asyncio.run(appending.commits_per_s(_fresh_schema(stack, []), writers))
        print(f"append: {writers} writers {found[writers]}", file=sys.stderr)
    return found


def latencies(stack: LocalStack) -> dict[str, dict[str, float]]:
    """Command to visible, over gRPC and through the gateway."""
    stack.up()
    with httpx.Client(base_url=stack.around.public_url, timeout=30) as client:
        account: dict[str, Any] = {"username": "bench-creator", "password": PASSWORD, "role": "creator"}
        client.post("/register", json=account).raise_for_status()
        session = client.post("/v1/sessions", json={name: account[name] for name in ("username", "password")}).json()
        bearer = {"authorization": f"Bearer {session['access_token']}"}
        work = {"kind": "text", "title": "bench", "body": "bench"}
        content_id = client.post("/v1/contents", json=work, headers=bearer).json()["content_id"]
        target = stack.environment("identity")["CATALOG_TARGET"]
        return {
            "gRPC": visible.over_grpc(target, session["access_token"], content_id),
            "gateway": visible.over_gateway(client, session["access_token"], content_id),
        }


if __name__ == "__main__":
    sys.exit(main())
