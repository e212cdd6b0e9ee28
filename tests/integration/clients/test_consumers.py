"""Both consumers count on the topics what the stores hold: with records sent again, and over a change of generation."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from community import Community, eventually
from shop import bought, opened, promoted, quote

from eventfold.publish.outgoing import TO_SEND, recorded_to_send
from lyceum_local.settings import SERVICES
from lyceum_local.stack import LocalStack
from servicekit.definition import ServiceDefinition

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "clients/consumers"
RUN_S, BUILD_S, REPLAY_S = 120, 300, 120
IDLE_S, COUNTED_S = 4.0, 90
PAYMENT = "lyceum.billing.payment"
"""Read by no fold, so that nothing else of the stack has to cross over with it."""
AGAIN = ["lyceum.billing.order", PAYMENT, "lyceum.catalog.interaction", "lyceum.identity.member"]
AGAIN_RECORDS = 5

Told = dict[str, Any]
Run = Callable[[Path], Told]


def stored(stack: LocalStack) -> tuple[Counter[str], Counter[str]]:
    """Public events by type, and what was charged by currency, as all stores hold it. All of it has been numbered."""
    counts: Counter[str] = Counter()
    charged: Counter[str] = Counter()
    for service in SERVICES:
        definition: ServiceDefinition = importlib.import_module(f"{service}.bootstrap").DEFINITION
        with psycopg.connect(stack.database_url(service)) as conn:
            eventually(partial(_is_numbered, conn))
            query = f"SELECT {TO_SEND.replace('public_value', 'NULL')} FROM (SELECT *, 0 AS seq FROM events) AS e"  # noqa: S608
            for row in conn.execute(query):
                public = definition.to_public(recorded_to_send(definition.codec, row))
                if public is not None:
                    counts[public.type] += 1
                if public is not None and public.type == "lyceum.billing.order.paid.v1":
                    charged[public.data["charged"]["currency"]] += public.data["charged"]["amount_minor"]
    return counts, charged


def _is_numbered(conn: psycopg.Connection[Any]) -> bool:
    return conn.execute("SELECT count(*) FROM unsequenced").fetchone() == (0,)


async def sent_again(stack: LocalStack) -> int:
    """The last records of some topics once more, in their order, as a relay that lost its cursor sends them."""
    client = stack.brokers.client()
    async with AIOKafkaConsumer(**client) as reader, AIOKafkaProducer(**client) as writer:
        count = 0
        for topic in AGAIN:
            name = stack.around.prefix + topic
            for partition in sorted(await writer.partitions_for(name)):
                place = TopicPartition(name, partition)
                end = (await reader.end_offsets([place]))[place]
                reader.assign([place])
                reader.seek(place, max(0, end - AGAIN_RECORDS))
                records = []
                while end and await reader.position(place) < end:
                    records += (await reader.getmany(timeout_ms=500)).get(place, [])
                for one in records:
                    await writer.send_and_wait(name, one.value, one.key, partition, one.timestamp, list(one.headers))
                count += len(records)
    return count


def replayed(stack: LocalStack) -> None:
    """The payments move to a next generation with twice the partitions, and old ones are closed."""
    command = [sys.executable, "-m", "eventfold_ops", "--app", "billing.bootstrap:deployment", "replay", PAYMENT]
    variables = {**os.environ, **stack.environment("billing")}
    subprocess.run([*command, "--partitions", "8"], env=variables, check=True, timeout=REPLAY_S)


def told(command: list[str], cwd: Path) -> Told:
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert ran.returncode == 0, ran.stderr
    decoded: Told = json.loads(ran.stdout)
    return decoded


@dataclass(frozen=True)
class Arguments:
    """What both consumers are told."""

    bootstrap: str
    prefix: str

    def python(self, store: Path) -> Told:
        options = ["--bootstrap", self.bootstrap, "--prefix", self.prefix, "--schemas", str(ROOT / "schemas/avro")]
        options += ["--store", str(store), "--idle-s", str(IDLE_S)]
        return told([sys.executable, "-m", "lyceum_consumer", *options], FOLDER)

    def go(self, program: Path, store: Path) -> Told:
        options = ["-bootstrap", self.bootstrap, "-prefix", self.prefix, "-schemas", str(ROOT / "schemas/avro")]
        return told([str(program), *options, "-store", str(store), "-idle-s", str(IDLE_S)], FOLDER)


@pytest.fixture(scope="module")
def arguments(stack: LocalStack) -> Arguments:
    return Arguments(str(stack.brokers.client()["bootstrap_servers"]), stack.around.prefix)


def built(into: Path) -> Path:
    """The Go consumer; skips the test without Go, or where its modules cannot be had."""
    if shutil.which("go") is None:
        pytest.skip("the Go consumer is not run: Go is not installed")
    program = into / "consumer"
    ran = subprocess.run(
        ["go", "build", "-o", str(program), "."],
        cwd=FOLDER / "go", capture_output=True, text=True, timeout=BUILD_S, check=False,
    )  # fmt: skip
    if "dial tcp" in ran.stderr or "proxy" in ran.stderr:
        pytest.skip(f"the Go consumer is not run: {ran.stderr.strip()[:300]}")
    assert ran.returncode == 0, ran.stderr
    return program


def lively(community: Community, stack: LocalStack) -> None:
    """Events of every service that emits them at once."""
    shop, buyer = opened(community), community.member()
    bought(buyer, stack, quote(buyer, shop, promoted(shop)))
    path = f"/v1/contents/{shop.content_id}"
    for interaction in ({"kind": "view"}, {"kind": "comment", "comment": "很好"}):
        buyer.post(f"{path}/interactions", interaction)
    buyer.post(f"{path}/feedback", {"kind": "not_interested"})


def counted(run: Run, store: Path, stack: LocalStack) -> Counter[str]:
    """Runs a consumer until its store holds what the platform's do: workers may still add facts that follow from
    others. Returns how many records it applied and dropped, and how often it crossed over, in all these runs."""
    seen: Counter[str] = Counter()

    def equal() -> bool:
        found = run(store)
        print(found, stored(stack))  # shown when it fails
        seen.update({name: found[name] for name in ("applied", "duplicates", "crossed")})
        return (found["counts"], found["charged"]) == tuple(map(dict, stored(stack)))

    eventually(equal, deadline_s=COUNTED_S)
    return seen


@pytest.fixture(scope="module")
def first(community: Community, stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for stores of consumers, with something on the topics."""
    lively(community, stack)
    return tmp_path_factory.mktemp("consumers")


async def test_both_count_what_the_stores_hold(
    community: Community, stack: LocalStack, arguments: Arguments, first: Path
) -> None:
    runs: dict[str, Run] = {"python": arguments.python}
    program = built(first) if shutil.which("go") else None
    if program:
        runs["go"] = lambda store: arguments.go(program, store)

    for name, run in runs.items():
        began = counted(run, first / name, stack)
        assert began["applied"] > 0 and began["duplicates"] == 0, (name, began)

    again = await sent_again(stack)
    assert again > len(AGAIN)
    lively(community, stack)
    for name, run in runs.items():
        went_on = counted(run, first / name, stack)
        assert went_on["applied"] > 0 and went_on["duplicates"] == again, (name, went_on)

    replayed(stack)
    lively(community, stack)
    for name, run in runs.items():
        crossed = counted(run, first / name, stack)
        assert crossed["applied"] > 0 and crossed["crossed"] == 1 and crossed["duplicates"] == 0, (name, crossed)

    for name, run in runs.items():
        anew = counted(run, first / f"{name}-anew", stack)
        assert anew["duplicates"] == again and anew["crossed"] == 1, (name, anew)
    if program is None:
        pytest.skip("the Go consumer was not run: Go is not installed; the Python one was")
