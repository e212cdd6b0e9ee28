"""One installation under load: PostgreSQL, Kafka, a proxy, a server, two relays, two fold workers and a client."""

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

import psycopg
from shelf import COUNTS, TOPIC

from eventfold import schema
from eventfold.topics import prepare_topics
from lyceum_local.ports import free_block
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack
from tests.faults.keeper import Keeper, until
from tests.faults.roles import Settings
from tests.faults.striking import Strikes

PREFIX, SCHEMA, PARTITIONS = "faults.", "faults", 4
DRAIN_WAIT_S = 60.0
CONNECT_TIMEOUT_S = 2


class Installation:
    """What trials act upon and look at. Its own looks go to PostgreSQL directly, past the proxy."""

    def __init__(self, stack: LocalStack, folder: Path, rate_per_s: float) -> None:
        self.stack = stack
        self._folder = folder
        self._record = folder / "client.jsonl"
        self._read_to = 0
        self.sent: dict[int, tuple[str, float]] = {}
        self.acknowledged: dict[int, float] = {}
        self._drained = 0
        self.strikes = Strikes(folder)
        self.keeper = Keeper(folder)
        self._url = f"{stack.admin_url}?options=-csearch_path%3D{SCHEMA}"
        proxy_port, server_port = (first := free_block(2)), first + 1
        direct, proxied = f":{stack.ports.postgres}/", f":{proxy_port}/"
        self.settings = Settings(
            self._url.replace(direct, proxied), stack.kafka_bootstrap, PREFIX, server_port, str(folder)
        )
        self._prepare()
        self.keeper.start("proxy", "tests.faults.proxy", [str(proxy_port), str(stack.ports.postgres)])
        for name in ("server", "relay-1", "relay-2", "fold-1", "fold-2"):
            role = name.split("-")[0]
            self.keeper.start(name, "tests.faults.roles", [role, name, json.dumps(asdict(self.settings))])
        self.keeper.start("client", "tests.faults.client", [str(server_port), str(self._record), str(rate_per_s)])

    @property
    def topic(self) -> str:
        return PREFIX + TOPIC

    def _prepare(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute(f"CREATE SCHEMA {SCHEMA}")
            for version in range(1, schema.VERSION + 1):
                schema.upgrade(lambda statement: conn.execute(statement.encode()), version)
            conn.execute(COUNTS.create_sql.encode())
        asyncio.run(prepare_topics(self.stack.kafka_bootstrap, [self.topic], partitions=PARTITIONS))

    def rows(self, query: str, *arguments: object) -> list[Any]:
        """Rows, or none while PostgreSQL cannot be reached."""
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as conn:
                return conn.execute(query.encode(), arguments).fetchall()
        except psycopg.OperationalError:
            return []

    def leader(self) -> str:
        """The relay that holds the lease."""
        found = self.rows("SELECT holder FROM lease WHERE expires_at >= clock_timestamp()")
        return str(found[0][0]) if found else ""

    def read_record(self) -> None:
        """Take in what the client has written down since."""
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
        """Commands sent and not answered, as far as the record says."""
        self.read_record()
        return len(self.sent) - len(self.acknowledged)

    def visible(self, load: str) -> set[int]:
        """The numbers that the projection shows for a load's shelves."""
        return {
            int(title) for row in self.rows("SELECT digest FROM shelf_count WHERE shelf LIKE %s", f"shelf-{load}.%")
            for title in row[0].split(";") if title
        }  # fmt: skip

    def drain(self) -> bool:
        """Have the client repeat what is unanswered until all is acknowledged; False if that does not come about."""
        before = self._drained
        self.keeper.tell("client", "drain")

        def drained() -> bool:
            self.read_record()
            return self._drained > before

        return until(drained, DRAIN_WAIT_S) is not None

    def keep_logs(self, target: Path) -> None:
        """Copy what the processes have said so far to a folder that stays."""
        target.mkdir(parents=True, exist_ok=True)
        for log in self._folder.glob("*.log"):
            shutil.copy(log, target / log.name)

    def pids(self) -> dict[str, int]:
        """Of everything, PostgreSQL and Kafka included."""
        return {**self.keeper.pids(), **{name: state.pid for name, state in self.stack.states().items()}}


@contextmanager
def installed(folder: Path, rate_per_s: float) -> Iterator[Installation]:
    """An installation in `folder`, ended whatever happens."""
    stack = LocalStack(folder / "stack", Ports.free(), prefix=PREFIX)
    installation: Installation | None = None
    try:
        stack.start_backing()
        os.environ.setdefault("PYTHONUNBUFFERED", "1")
        installation = Installation(stack, folder, rate_per_s)
        yield installation
    finally:
        if installation is not None:
            installation.keeper.stop()
        stack.down()
