"""A schema for each test, a stand-in for the gRPC context, and delivered records."""

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
    """The URL of a schema in which the service's migrations have run. It is dropped afterwards."""
    name = f"{definition.name}{uuid.uuid4().hex[:12]}"
    url = f"{postgres_url}?options=-csearch_path%3D{name}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE SCHEMA {name}".encode())
        migrate(url, definition.migrations)
        yield url
        await admin.execute(f"DROP SCHEMA {name} CASCADE".encode())


class Answering:
    """Stands in for gRPC's side of a call: it has time left, and ignores metadata."""

    def time_remaining(self) -> float:
        """Seconds."""
        return 10.0

    async def send_initial_metadata(self, metadata: Any) -> None:
        """Ignore it."""


async def refused(awaited: Awaitable[Any], kind: type[E]) -> E:
    """The failure of `awaited`, which must be a `kind`. Raises AssertionError if it raises nothing."""
    try:
        answer = await awaited
    except kind as refusal:
        return refusal
    raise AssertionError(f"{kind.__name__} was to be raised; the answer is {answer!r}")


@dataclass
class Delivered:
    """A record as a consumer returns it."""

    offset: int
    key: bytes | None
    value: Any
    headers: Sequence[tuple[str, bytes]]


class NoAvro(Avro):
    """Passes data through unchanged, for records that carry it undecoded."""

    content_type = "application/octet-stream"

    def encode(self, type_name: str, datum: Any) -> bytes:
        """Never called."""
        raise AssertionError("never called")

    def decode(self, value: Any) -> Any:
        """The value itself."""
        return value

    def written_as(self, value: bytes) -> tuple[str, str]:
        """Never called."""
        raise AssertionError("never called")
