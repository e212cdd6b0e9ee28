"""A schema for each test, the far side of a call, and records as they arrive."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg

from eventfold.publish.publisher import Avro
from servicekit.definition import ServiceDefinition
from servicekit.migrate import migrate

E = TypeVar("E", bound=Exception)


@contextlib.asynccontextmanager
async def migrated(postgres_url: str, definition: ServiceDefinition) -> AsyncIterator[str]:
    """The URL of a schema that the service's migrations have run in; it is dropped afterwards."""
    name = f"{definition.name}{uuid.uuid4().hex[:12]}"
    url = f"{postgres_url}?options=-csearch_path%3D{name}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE SCHEMA {name}".encode())
        migrate(url, definition.migrations)
        yield url
        await admin.execute(f"DROP SCHEMA {name} CASCADE".encode())


class Answering:
    """Stands in for gRPC's side of a call: has time, and takes metadata that nobody looks at."""

    def time_remaining(self) -> float:
        """Seconds."""
        return 10.0

    async def send_initial_metadata(self, metadata: Any) -> None:
        """Take it."""


async def refused(awaited: Awaitable[Any], kind: type[E]) -> E:
    """What `awaited` raises, which is to be a `kind`. Raises AssertionError where it raises nothing."""
    try:
        answer = await awaited
    except kind as refusal:
        return refusal
    raise AssertionError(f"{kind.__name__} was to be raised; the answer is {answer!r}")


@dataclass
class Delivered:
    """A record as a consumer hands it over."""

    offset: int
    key: bytes | None
    value: Any
    headers: Sequence[tuple[str, bytes]]


class NoAvro(Avro):
    """Hands data over as it is, for records that carry it undecoded."""

    content_type = "application/octet-stream"

    def encode(self, type_name: str, datum: Any) -> bytes:
        """Is never asked."""
        raise AssertionError("never called")

    def decode(self, value: Any) -> Any:
        """The same."""
        return value

    def written_as(self, value: bytes) -> tuple[str, str]:
        """Is never asked."""
        raise AssertionError("never called")
