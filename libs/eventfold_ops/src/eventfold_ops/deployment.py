"""What it takes to operate one service: where its store, topics and read tables are, and how to read them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from eventfold.codec import EventCodec
from eventfold.fold import Process
from eventfold.publish import Avro, Publisher
from eventfold.readmodel import Projection
from eventfold.store import Connection


class NoSuchApp(Exception):
    """`--app` names nothing that gives a deployment."""

    def __init__(self, app: str, reason: str) -> None:
        super().__init__(f"--app {app}: {reason}; it names a function as module:function that returns a Deployment")
        self.app = app


@dataclass(frozen=True)
class Deployment:
    """One service as its operators see it. Topics are named without `topic_prefix`."""

    name: str
    database_url: str
    kafka_bootstrap: str
    group: str
    relay_name: str
    codec: EventCodec
    avro: Avro
    publisher: Publisher
    topics: tuple[str, ...] = ()
    projections: tuple[Projection, ...] = ()
    processes: tuple[Process, ...] = ()
    topic_prefix: str = ""
    topic_replication: int = 1

    @property
    def handlers(self) -> Sequence[Projection | Process]:
        """Everything that consumes."""
        return [*self.projections, *self.processes]

    async def connect(self) -> Connection:
        """A connection in autocommit mode."""
        return await psycopg.AsyncConnection.connect(self.database_url, autocommit=True)


def load(app: str) -> Deployment:
    """The deployment that `module:function` gives. Raises `NoSuchApp`."""
    module, _, name = app.partition(":")
    try:
        make: Callable[[], Deployment] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as failure:
        raise NoSuchApp(app, str(failure)) from failure
    return make()
