"""The sender: under a lease, tells endpoints what happened, until it has arrived or is given up.

One look: what was folded becomes deliveries; a bounded number of due ones is taken; requests go out beside one another
and are noted as they end. A sender that dies leaves rows that come back after 30 s, so at most what was under way is
sent twice. One that was stopped past its lease takes nothing more; what it had under way may arrive twice, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from psycopg import OperationalError

from eventfold import Ask, Connection, Context, EventStore, Item
from eventfold.errors import NotFound
from eventfold.publish import lease as leases
from eventfold.publish.lease import Lease
from notifications import telemetry
from notifications.delivery.addressing import Addressed, Addresser
from notifications.delivery.domain import Answer
from notifications.delivery.noting import FAILED_AT_ONCE_ROWS, Noter
from notifications.delivery.posting import Poster, headers_of
from notifications.delivery.rows import Taken
from notifications.delivery.taking import LANES, Lane, take
from notifications.delivery.telling import Teller
from notifications.endpoint.domain import ENDPOINT, DisableEndpoint, Reason

log = logging.getLogger(__name__)

ACTOR: Final = "notifications"
LEASE: Final = "webhooks"
RETRY_S: Final = 0.5
IDLE_S: Final = 0.2
"""Between two looks that found nothing."""
NO_SECRET: Final = "there is no secret to sign with"  # noqa: S105 - a sentence
GIVE_UP_ROUNDS: Final = 1_000
IDLE_IN_TRANSACTION_MS: Final = 10_000


@dataclass
class Sender:
    """Runs until cancelled. `places` is how many requests each lane may have under way. `clock` gives UTC."""

    holder: str
    connect: Callable[[], Awaitable[Connection]]
    store: EventStore
    addresser: Addresser
    teller: Teller
    noter: Noter
    poster: Poster
    clock: Callable[[], datetime]
    places: Mapping[Lane, int]
    _tasks: dict[asyncio.Task[None], tuple[Lane, str]] = field(default_factory=dict)

    async def run(self) -> None:
        """Send whenever the lease is free. Raises `LeaseLost` and errors of connections: to be run again."""
        while True:
            async with await self.connect() as conn:
                await conn.execute(f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}")
                lease = await leases.acquire(conn, LEASE, self.holder)
                if lease is not None:
                    await self._lead(conn, lease)
            await asyncio.sleep(RETRY_S)

    async def _lead(self, conn: Connection, lease: Lease) -> None:
        try:
            while True:
                if not await self.look(conn, lease):
                    await self._idle()
        finally:
            await self.stop()
            self._show()
            with contextlib.suppress(OperationalError):
                await leases.release(conn, lease)

    async def look(self, conn: Connection, lease: Lease) -> int:
        """Tell, take and begin to send. Returns how much there was to do. Raises `LeaseLost`, and the failure of a
        request's bookkeeping."""
        self._raise_failures()
        told = await self.teller.tell(conn, lease)
        taken = {lane: await self._take(conn, lease, lane) for lane in LANES}
        everything = [one for of_lane in taken.values() for one in of_lane]
        if everything:
            places = await self.addresser.of([one.endpoint_id for one in everything], self.clock())
            for lane, of_lane in taken.items():
                for one in of_lane:
                    self._begin(lane, one, places.get(one.endpoint_id))
        self._show()
        return told + len(everything)

    async def settled(self) -> None:
        """Wait until nothing is under way. Raises the failure of a request's bookkeeping."""
        while self._tasks:
            await asyncio.wait(self._tasks)
            self._raise_failures()

    async def stop(self) -> None:
        """Leave what is under way: it comes back. Close what is open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.teller.close()

    async def _idle(self) -> None:
        """Until a request ends, which makes place and may make more due, but not longer than `IDLE_S`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(IDLE_S)

    async def _take(self, conn: Connection, lease: Lease, lane: Lane) -> list[Taken]:
        under_way = Counter(endpoint_id for _, endpoint_id in self._tasks.values())
        used = sum(one == lane for one, _ in self._tasks.values())
        async with conn.transaction():
            await leases.hold(conn, lease)
            return await take(conn, lane, self.clock(), self.places[lane] - used, under_way)

    def _show(self) -> None:
        for lane in LANES:
            telemetry.IN_FLIGHT.labels(lane).set(sum(one == lane for one, _ in self._tasks.values()))

    def _begin(self, lane: Lane, taken: Taken, place: Addressed | None) -> None:
        task = asyncio.create_task(self._one(taken, place))
        self._tasks[task] = lane, taken.endpoint_id

    def _raise_failures(self) -> None:
        for task in [task for task in self._tasks if task.done()]:
            del self._tasks[task]
            task.result()

    async def _one(self, taken: Taken, place: Addressed | None) -> None:
        if place is None:
            await self._give_up_all(taken.endpoint_id)
            return
        began_at = self.clock()
        answer = await self._answer(taken, place, began_at)
        noted = await self.noter.note(taken, answer, began_at, self.clock())
        telemetry.ATTEMPTS.labels(answer.outcome).inc()
        if noted.given_up:
            telemetry.FAILED.inc()
        if answer.outcome == "gone":
            await self._disable(taken.endpoint_id, "gone")
        elif noted.silent:
            await self._disable(taken.endpoint_id, "silent")

    async def _answer(self, taken: Taken, place: Addressed, at: datetime) -> Answer:
        """Nothing is sent unsigned."""
        if not place.secrets:
            return Answer(0, 0, NO_SECRET)
        headers = headers_of(taken.event_id, taken.body, place.secrets, at)
        return await self.poster.post(place.url, taken.body, headers, at)

    async def _give_up_all(self, endpoint_id: str) -> None:
        for _ in range(GIVE_UP_ROUNDS):
            ended = await self.noter.give_up_all(endpoint_id)
            telemetry.FAILED.inc(ended)
            if ended < FAILED_AT_ONCE_ROWS:
                return

    async def _disable(self, endpoint_id: str, reason: Reason) -> None:
        """Recorded as an event: its owner is told of it."""
        context = Context(self.clock(), ACTOR, str(uuid.uuid4()))
        item = Item((Ask(ENDPOINT, endpoint_id, DisableEndpoint(reason)),))
        with contextlib.suppress(NotFound):  # removed meanwhile
            await self.store.handle(item, context)
            telemetry.DISABLED.labels(reason).inc()
            log.warning("an endpoint is disabled", extra={"endpoint_id": endpoint_id, "reason": reason})
