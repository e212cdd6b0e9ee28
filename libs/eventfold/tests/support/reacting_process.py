"""A fold worker with a process as a process: `python reacting_process.py URL BOOTSTRAP PREFIX POINT`.

It reacts to each book with an audit of another shelf. An audit is recorded as often as it is commanded: that there is
one for each book is the mechanism's doing. It kills itself when it comes past the named point for the third time.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
from typing import Any

from psycopg_pool import AsyncConnectionPool
from shelf import CODEC, FILLED, SHELF, AddBook, JsonInsteadOfAvro, to_public

from eventfold import Ask, EventStore, FoldGroup, Item, Process, PublicRecord
from eventfold.fold.runner import FoldRunner
from eventfold.fold.worker import fold_app, run
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import Publisher

POINTS = ("after-append-before-commit", "after-commit-before-acknowledge")
AT_PASS = 3


def react(event: PublicRecord) -> list[Item]:
    return [Item((Ask(SHELF, f"audits-of-{event.data['shelf']}", AddBook("audit")),))]


class Striking:
    """Counts how often the process comes past the armed point."""

    def __init__(self, armed: str) -> None:
        self._armed = armed
        self._passes = 0

    def pass_by(self, point: str) -> None:
        self._passes += self._armed == point
        if self._passes == AT_PASS:
            os.kill(os.getpid(), signal.SIGKILL)


class StruckStore(EventStore):
    """Comes past its point with the reactions written, and neither they nor the position committed."""

    striking: Striking

    async def decide(self, *arguments: Any, **named: Any) -> Any:
        decided = await super().decide(*arguments, **named)
        self.striking.pass_by("after-append-before-commit")
        return decided


class StruckRunner(FoldRunner):
    """Comes past its point with reactions and position committed, before Kafka hears of it."""

    striking: Striking

    async def apply_decoded(self, runs: Any) -> None:
        await super().apply_decoded(runs)
        self.striking.pass_by("after-commit-before-acknowledge")


def main(url: str, bootstrap: str, prefix: str, point: str) -> None:
    pool = AsyncConnectionPool(url, min_size=1, max_size=2, open=False, kwargs={"autocommit": True})
    publisher = Publisher("/library", to_public, JsonInsteadOfAvro(), prefix)
    store = StruckStore(pool, CODEC, publisher, random.Random())
    runner = StruckRunner(
        worker="shelf",
        pool=pool,
        avro=JsonInsteadOfAvro(),
        topic_prefix=prefix,
        store=store,
        groups=[FoldGroup("auditing", processes=(Process("auditing", (FILLED,), react),))],
    )
    store.striking = runner.striking = Striking(point)
    logging.basicConfig(level="WARNING")
    run(fold_app(group=f"{prefix}shelf", brokers=Brokers(bootstrap), runner=runner, pool=pool))


if __name__ == "__main__":
    main(*sys.argv[1:])
