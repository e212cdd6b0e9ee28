"""A service wired by its own bootstrap over a real PostgreSQL: RPCs behind their policies, folds, no network."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc

from eventfold import Data, EventStore, Pool, PublicType
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.measured.times import rfc3339
from eventfold.write.rows import COLUMNS, recorded
from servicekit.call import Call, enter_call
from servicekit.caller import Caller
from servicekit.database import make_pool
from servicekit.definition import ServiceDefinition, Wiring, wire
from servicekit.testing.parts import Answering, Delivered, migrated

ROUNDS_AT_MOST = 100
"""Limit for the rounds in which events and the reactions of processes are carried. More rounds mean an endless loop."""

_NUMBERED = "INSERT INTO sequence_run SELECT position, position, 1 FROM unsequenced"
_SINCE = f"SELECT {COLUMNS} FROM events WHERE position > %s ORDER BY position"  # noqa: S608 - declared names


class Registered:
    """Stands in for a gRPC server: keeps the RPCs that a service registers, by name."""

    def __init__(self) -> None:
        self.rpcs: dict[str, Callable[[Any, Any], Any]] = {}

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Ignored: the other registration has all of them."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Keep the RPCs of `service`."""
        self.rpcs |= {name: handler.unary_unary or handler.unary_stream for name, handler in handlers.items()}


@dataclass
class House:
    """The service without its network edge. `settle` does the work of relay and worker, in one process.

    Calls are made at `now`, or at the clock's time if that is None.
    """

    wiring: Wiring
    rpcs: Mapping[str, Callable[[Any, Any], Any]]
    runner: FoldRunner
    url: str
    now: datetime | None = None
    position: int = 0
    offsets: dict[str, int] = field(default_factory=dict)

    @property
    def store(self) -> EventStore:
        """The service's events."""
        return self.wiring.store

    @property
    def pool(self) -> Pool:
        """Connections to its schema."""
        return self.wiring.pool

    def enter(self, caller: Caller | None, rpc: str = "rpc", **metadata: str) -> None:
        """Let the next use of `rpcs` be made by `caller`, with these headers (underscores stand for dashes)."""
        headers = {key.replace("_", "-"): value for key, value in metadata.items()}
        now, name = self.now or datetime.now(UTC), self.wiring.definition.name
        enter_call(
            Call(
                rpc=rpc,
                metadata=headers,
                caller=caller,
                now=now,
                service=name,
                idempotency_secret=b"k" * 32,
                servicer_context=cast(Any, Answering()),
            )
        )

    async def call(self, request: Any, caller: Caller | None = None, **metadata: str) -> Any:
        """The answer to `request`, made as in `enter`. Raises the error of the RPC."""
        name = type(request).__name__.removesuffix("Request")
        self.enter(caller, name, **metadata)
        return await self.rpcs[name](request, None)

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of an SQL query."""
        async with self.wiring.pool.connection() as conn:
            return await (await conn.execute(query.encode(), values)).fetchall()

    async def settle(self) -> None:
        """Carry recorded events through the service's folds and processes, and then the events that these record."""
        for _ in range(ROUNDS_AT_MOST):
            if not await self._carry():
                return
        raise AssertionError(f"processes still record events after {ROUNDS_AT_MOST} rounds")

    async def told(
        self, kind: PublicType[Data], data: Data, *, key: str = "key", occurred_at: datetime | None = None
    ) -> None:
        """Deliver an event of another service, and fold it."""
        number = str(self.offsets.get(kind.topic, 0) + 1)
        at = occurred_at or self.now or datetime.now(UTC)
        headers = {
            "ce_id": f"{kind.topic}-{number}",
            "ce_subject": f"stream-{key}",
            "ce_type": kind.name,
            "ce_sequence": number,
            "ce_time": rfc3339(at),
        }
        encoded = {name: text.encode() for name, text in headers.items()}
        await self.deliver(
            kind.topic, key.encode(), self.wiring.avro.encode(kind.name, cast(Mapping[str, Any], data)), encoded
        )

    async def deliver(self, topic: str, key: bytes, value: bytes, headers: Mapping[str, bytes]) -> None:
        """Deliver a record on the only partition of `topic`, and fold it if a fold reads the topic."""
        if topic not in self.runner.topics:
            return
        offset = self.offsets.get(topic, 0)
        self.offsets[topic] = offset + 1
        delivered = Delivered(offset, key, value, list(headers.items()))
        await self.runner.apply([PartitionBatch(topic, 0, [delivered])])

    async def _carry(self) -> bool:
        async with self.wiring.pool.connection() as conn:
            await conn.execute(_NUMBERED)
            await conn.execute("DELETE FROM unsequenced")
            rows = await (await conn.execute(_SINCE, [self.position])).fetchall()
        for row in rows:
            event = recorded(self.wiring.definition.codec, row)
            self.position = event.position or 0
            record = self.wiring.publisher.encode(replace(event, seq=self.position))
            if record is not None:
                await self.deliver(record.topic, record.key, record.value, dict(record.headers))
        return bool(rows)


H = TypeVar("H", bound=House)


@contextlib.asynccontextmanager
async def housed(
    definition: ServiceDefinition, postgres_url: str, key_dir: Path, kind: type[H], **settings: Any
) -> AsyncIterator[H]:
    """The service as a `House` of class `kind`, in a schema of its own that is dropped afterwards. `settings` are added
    to the local profile."""
    async with migrated(postgres_url, definition) as url, make_pool(url, 8) as pool:
        given: dict[str, Any] = {
            "lyceum_profile": "local",
            "database_url": url,
            "kafka_bootstrap": "unused",
            "key_dir": key_dir,
        }
        wiring = wire(definition, definition.settings(**(given | settings)), pool, lambda: None)
        server = Registered()
        await definition.register(wiring, cast(grpc.aio.Server, server))
        runner = FoldRunner(worker="t", pool=pool, avro=wiring.avro, groups=definition.groups, store=wiring.store)
        try:
            yield kind(wiring, server.rpcs, runner, url)
        finally:
            await wiring.closing.aclose()
