"""Records impressions behind the answers: callers never wait for it.

Impressions wait in a bounded queue and are recorded in batches. Those that do not fit, and those that wait when a
process ends or its database is away, are lost and counted: an impression is recorded at most once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from prometheus_client import Counter, Gauge

from eventfold import Ask, Context, EventStore, Item
from reco.impression.domain import IMPRESSION, Impression, Show, answer_stream
from servicekit.validate import MAX_BATCH_ITEMS

MAX_WAITING: Final = 5_000
PAUSE_S: Final = 0.2

WAITING = Gauge("lyceum_reco_impressions_waiting", "Impressions in memory that are not recorded yet.")
LOST = Counter(
    "lyceum_reco_impressions_lost", "Impressions that were never recorded: the queue was full, or it failed."
)


class Recorder:
    """The queue of one process and the task that empties it."""

    def __init__(self, store: EventStore, wake_relay: Callable[[], None]) -> None:
        self._store = store
        self._wake_relay = wake_relay
        self._waiting: deque[Impression] = deque()

    def take(self, impression: Impression) -> None:
        """Queue an impression; returns at once. If the queue is full, the impression is lost and counted."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(impression)
        else:
            LOST.inc()
        WAITING.set(len(self._waiting))

    async def run(self) -> None:
        """Record what waits until cancelled, a batch at a time. Raises what the store raises; the batch is then lost,
        because it may have been recorded."""
        while True:
            await asyncio.sleep(PAUSE_S)
            await self.drain()

    async def drain(self) -> None:
        """Record what waits now."""
        while batch := [*islice(self._waiting, MAX_BATCH_ITEMS)]:
            for _ in batch:
                self._waiting.popleft()
            await self._record(batch)
            WAITING.set(len(self._waiting))

    async def _record(self, batch: Sequence[Impression]) -> None:
        done = False
        try:
            await self._store.handle_batch([_item(one) for one in batch], _context(batch[-1]))
            done = True
            self._wake_relay()
        finally:
            LOST.inc(0 if done else len(batch))


def _context(one: Impression) -> Context:
    return Context(now=one.at, actor=one.member_id, correlation_id=one.answer_id)


def _item(one: Impression) -> Item:
    ask = Ask(IMPRESSION, answer_stream(one.member_id, one.answer_id), Show(one.shown))
    return Item((ask,), _context(one))
