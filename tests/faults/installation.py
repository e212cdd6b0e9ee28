"""One installation under load: PostgreSQL, Kafka, proxies, a server, two relays, two fold workers and a client."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import psycopg
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError
from shelf import COUNTS, TOPIC

from eventfold.postgres import schema
from eventfold.publish.topics import administrator, prepare_topics
from lyceum_local.kafka import Listener
from lyceum_local.ports import LOOPBACK
from lyceum_local.settings import Ports, StackSettings
from lyceum_local.stack import LocalStack
from tests.faults.keeper import Keeper, until
from tests.faults.roles import Settings
from tests.faults.striking import Strikes

PREFIX, SCHEMA, PARTITIONS = "faults.", "faults", 4
RELAYS, FOLDS = ("relay-1", "relay-2"), ("fold-1", "fold-2")
DRAIN_WAIT_S = 60.0
CONNECT_TIMEOUT_S = 2


class FaultsPorts(Ports):
    """The ports of the stack, and of the processes beside it."""

    server: int = 0
    postgres_proxy: int = 0
    kafka_proxy: int = 0
    kafka_behind_proxy: int = 0
    """The broker's listener for the proxy; it tells its clients the port `kafka_proxy`."""


class Installation:
    """The processes that trials act on and observe. It observes PostgreSQL and Kafka directly, not through the
    proxies."""

    def __init__(self, stack: LocalStack, ports: FaultsPorts, folder: Path, rate_per_s: float) -> None:
        self.stack = stack
        self._ports = ports
        self._folder = folder
        self._record = folder / "client.jsonl"
        self._read_to = 0
        self.sent: dict[int, tuple[str, float]] = {}
        self.acknowledged: dict[int, float] = {}
        self._drained = 0
        self.strikes = Strikes(folder)
        self.keeper = Keeper(folder)
        self._url = f"{stack.admin_url}?options=-csearch_path%3D{SCHEMA}"
        direct, proxied = f":{ports.postgres}/", f":{ports.postgres_proxy}/"
        self.settings = Settings(
            self._url.replace(direct, proxied), f"{LOOPBACK}:{ports.kafka_proxy}", PREFIX, ports.server, str(folder)
        )
        self._prepare()
        self._start_proxy("postgres", ports.postgres)
        self._start_proxy("kafka", ports.kafka_behind_proxy)
        for name in ("server", *RELAYS, *FOLDS):
            role = name.split("-")[0]
            self.keeper.start(name, "tests.faults.roles", [role, name, json.dumps(asdict(self.settings))])
        self.keeper.start("client", "tests.faults.client", [str(ports.server), str(self._record), str(rate_per_s)])

    @property
    def topic(self) -> str:
        return PREFIX + TOPIC

    def _prepare(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute(f"CREATE SCHEMA {SCHEMA}")
            for statement in [*schema.all_statements(), COUNTS.create_sql]:
                conn.execute(statement.encode())
        asyncio.run(prepare_topics(self.stack.brokers, [self.topic], partitions=PARTITIONS))

    def _start_proxy(self, name: str, target_port: int) -> None:
        port = self._ports.of(f"{name}_proxy")
        self.keeper.start(f"{name}-proxy", "tests.faults.proxy", [str(port), str(target_port)])

    def proxied(self, name: str) -> set[int]:
        """The connections that go through a proxy now, by their clients' ports."""
        port = self._ports.of(f"{name}_proxy")
        connections = psutil.Process(self.keeper.pid(f"{name}-proxy")).net_connections("tcp4")
        return {
            one.raddr.port for one in connections if one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port
        }

    def rows(self, query: str, *arguments: object) -> list[Any]:
        """The query's rows; none while PostgreSQL cannot be reached."""
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as conn:
                return conn.execute(query.encode(), arguments).fetchall()
        except psycopg.OperationalError:
            return []

    def leader(self) -> str:
        """The relay that holds the lease."""
        found = self.rows("SELECT holder FROM lease WHERE expires_at >= clock_timestamp()")
        return str(found[0][0]) if found else ""

    def folding(self) -> bool:
        """Whether the consumer group is stable with both fold workers in it, and each has partitions."""
        try:
            group = asyncio.run(self._group())
        except KafkaError:
            return False
        if group["state"] != "Stable":
            return False
        assigned = [ConsumerProtocolMemberAssignment.decode(one["member_assignment"]) for one in group["members"]]
        return [bool(one.assignment) for one in assigned] == [True] * len(FOLDS)

    async def _group(self) -> dict[str, Any]:
        async with administrator(self.stack.brokers) as admin:
            (answer,) = await admin.describe_consumer_groups([self.settings.fold_group])
            return dict(answer.to_object()["groups"][0])

    def read_record(self) -> None:
        """Read the lines that the client has recorded since the last call."""
        if not self._record.exists():
            return
        with self._record.open() as file:
            file.seek(self._read_to)
            whole, _, _ = file.read().rpartition("\n")
            self._read_to += len(whole) + bool(whole)
        for line in filter(None, whole.split("\n")):
            self._take(json.loads(line))

    def _take(self, entry: dict[str, Any]) -> None:
        if "sent" in entry:
            self.sent[entry["sent"]] = (entry["shelf"], entry["at"])
        elif "acknowledged" in entry:
            self.acknowledged[entry["acknowledged"]] = entry["at"]
        else:
            self._drained += 1

    def in_flight(self) -> int:
        """Number of commands sent and not answered, according to the record."""
        self.read_record()
        return len(self.sent) - len(self.acknowledged)

    def visible(self, load: str) -> set[int]:
        """The command numbers that the projection shows for a load's shelves."""
        return {
            int(title)
            for row in self.rows("SELECT digest FROM shelf_count WHERE shelf LIKE %s", f"shelf-{load}.%")
            for title in row[0].split(";")
            if title
        }

    def drain(self) -> bool:
        """Make the client repeat unanswered commands until all are acknowledged; False if some never are."""
        before = self._drained
        self.keeper.tell("client", "drain")

        def drained() -> bool:
            self.read_record()
            return self._drained > before

        return until(drained, DRAIN_WAIT_S) is not None

    def keep_logs(self, target: Path) -> None:
        """Copy the processes' logs so far to a folder that stays."""
        target.mkdir(parents=True, exist_ok=True)
        for log in self._folder.glob("*.log"):
            shutil.copy(log, target / log.name)

    def pids(self) -> dict[str, int]:
        """The pids of all processes, PostgreSQL and Kafka included."""
        return {**self.keeper.pids(), **{name: state.pid for name, state in self.stack.states().items()}}


@contextmanager
def installed(folder: Path, rate_per_s: float) -> Iterator[Installation]:
    """An installation in `folder`. It is ended in any case."""
    ports = FaultsPorts.free()
    embedded = StackSettings(docker=False, postgres_url=None, kafka_bootstrap=None)
    stack = LocalStack(folder / "stack", ports, prefix=PREFIX, settings=embedded)
    installation: Installation | None = None
    try:
        stack.start_backing(Listener(ports.kafka_behind_proxy, advertised_port=ports.kafka_proxy))
        os.environ.setdefault("PYTHONUNBUFFERED", "1")
        installation = Installation(stack, ports, folder, rate_per_s)
        yield installation
    finally:
        if installation is not None:
            installation.keeper.stop()
        stack.down()
