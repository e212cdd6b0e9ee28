"""The processes under test: `python -m tests.faults.roles ROLE NAME SETTINGS`.

A server that appends what it is asked over a socket, a relay, and the real fold worker: the package's own parts over
the example domain of its tests, with points at which they can be struck.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from aiokafka import AIOKafkaProducer
from psycopg_pool import AsyncConnectionPool
from shelf import CODEC, SHELVES, TOPIC, JsonInsteadOfAvro, add, to_public

from eventfold import Connection, Context, EventStore, Idempotency, Pool
from eventfold.fold.runner import FoldRunner
from eventfold.publish import lease
from eventfold.publish.brokers import Brokers
from eventfold.publish.lease import Head, Lease
from eventfold.publish.publisher import Publisher
from eventfold.publish.relay import Relay
from eventfold.publish.sending import Producer
from eventfold.publish.witness import tails_of
from tests.faults.striking import Strikes, StruckConnection

HANDLE_DEADLINE_S = 5.0
CONNECT_TIMEOUT_S = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that all processes of one installation share."""

    url: str
    bootstrap: str
    prefix: str
    port: int
    strikes: str

    @property
    def fold_group(self) -> str:
        return f"{self.prefix}shelf"

    @property
    def publisher(self) -> Publisher:
        return Publisher("/library", to_public, JsonInsteadOfAvro(), self.prefix)


def pool_of(settings: Settings, strikes: Strikes, point: str, size: int) -> Pool:
    StruckConnection.strikes, StruckConnection.point = strikes, point
    return AsyncConnectionPool(
        settings.url,
        min_size=1,
        max_size=size,
        open=False,
        connection_class=StruckConnection,
        kwargs={"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S},
        timeout=HANDLE_DEADLINE_S,
    )


async def serve(settings: Settings, strikes: Strikes) -> None:
    """Serve commands: one JSON object per line with key, shelf and title. The key is the answer, sent after the
    commit."""
    pool = pool_of(settings, strikes, "before-commit", 8)
    await pool.open()
    store = EventStore(pool, CODEC, settings.publisher, random.Random())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                asked = json.loads(line)
                context = Context(now=datetime.now(UTC), actor="client", correlation_id=asked["key"])
                key = Idempotency("client", asked["key"], line)
                await store.handle(
                    add(asked["shelf"], asked["title"]), context, idempotency=key, deadline_s=HANDLE_DEADLINE_S
                )
                strikes.pass_by("after-commit-before-answer")
                writer.write(json.dumps({"key": asked["key"]}).encode() + b"\n")
                await writer.drain()
        except (OSError, psycopg.Error) as failure:
            logging.warning("a request failed: %r", failure)
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", settings.port)
    await server.serve_forever()


async def lead(settings: Settings, strikes: Strikes, name: str) -> None:
    async def connect() -> Connection:
        return await psycopg.AsyncConnection.connect(settings.url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)

    move_cursor = lease.move_cursor

    async def struck_move_cursor(conn: Connection, held: Lease, to_seq: int, heads: Sequence[Head]) -> None:
        if to_seq:  # a term begins with a cursor move that only names the partitions
            strikes.pass_by("after-send-before-cursor")
        await move_cursor(conn, held, to_seq, heads)

    setattr(lease, "move_cursor", struck_move_cursor)  # noqa: B010 - a seam, not an assignment that types should know
    await Relay(
        name="relay",
        holder=name,
        connect=connect,
        producers=lambda: struck_producer(settings, strikes, name),
        publisher=settings.publisher,
        codec=CODEC,
        topics=[settings.prefix + TOPIC],
        tails=tails_of(Brokers(settings.bootstrap)),
    ).run()


def struck_producer(settings: Settings, strikes: Strikes, name: str) -> AIOKafkaProducer:
    made = Producer(Brokers(settings.bootstrap), name)
    send = made.send_batch

    async def send_batch(*arguments: Any, **named: Any) -> Any:
        strikes.pass_by("after-commit-before-send")
        return await send(*arguments, **named)

    made.send_batch = send_batch
    return made


class StruckRunner(FoldRunner):
    """Passes its point when rows and position are committed, before Faust is told."""

    strikes: Strikes

    async def apply_decoded(self, runs: Any) -> None:
        await super().apply_decoded(runs)
        self.strikes.pass_by("after-fold-commit-before-acknowledge")


def work(settings: Settings, strikes: Strikes) -> None:
    from eventfold.fold.worker import fold_app, run  # importing Faust takes a second, so only this role does it

    pool = pool_of(settings, strikes, "after-fold-before-commit", 2)
    runner = StruckRunner(
        worker="shelf", pool=pool, avro=JsonInsteadOfAvro(), groups=[SHELVES], topic_prefix=settings.prefix
    )
    runner.strikes = strikes
    run(fold_app(group=settings.fold_group, brokers=Brokers(settings.bootstrap), runner=runner, pool=pool))


def main() -> None:
    options = _options()
    settings = Settings(**json.loads(options.settings))
    strikes = Strikes(Path(settings.strikes))
    logging.basicConfig(level="WARNING", format="%(asctime)s %(name)s %(message)s")
    uvloop.install()  # as the services do
    if options.role == "server":
        asyncio.run(serve(settings, strikes))
    elif options.role == "relay":
        asyncio.run(lead(settings, strikes, options.name))
    else:
        work(settings, strikes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults.roles", description=__doc__)
    parser.add_argument("role", choices=["server", "relay", "fold"])
    parser.add_argument("name", help="of the process; a relay holds the lease under it")
    parser.add_argument("settings", help="as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
