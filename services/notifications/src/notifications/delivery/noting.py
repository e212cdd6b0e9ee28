"""What became of a delivery: attempts, and the next state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from eventfold import Connection, Pool
from notifications.delivery.domain import DOWN_AFTER, SILENT_AFTER, SLOW_AFTER_MS, Answer, Uniform, not_before, retry_at
from notifications.delivery.rows import Taken, locked, next_looks, settle
from notifications.event_types import TEST

FAILED_AT_ONCE_ROWS: Final = 1_000

_ATTEMPT: Final = """INSERT INTO attempt (endpoint_id, number, attempt, at, status, took_ms, said)
SELECT endpoint_id, number, %s, %s, %s, %s, %s FROM delivery WHERE endpoint_id = %s AND number = %s
ON CONFLICT DO NOTHING"""
# What arrived has arrived, whoever says so; a failure counts only for who took the delivery last.
_ARRIVED: Final = """UPDATE delivery SET state = 'delivered', attempts = attempts + 1, tries = tries + 1, taken = NULL
WHERE endpoint_id = %s AND number = %s AND state <> 'delivered'"""
_MISSED: Final = """UPDATE delivery SET state = %s, due_at = coalesce(%s, due_at), first_at = %s, taken = NULL,
attempts = attempts + 1, tries = tries + 1
WHERE endpoint_id = %s AND number = %s AND taken = %s AND state = 'due'"""
_WELL: Final = "UPDATE sending SET failing_since = NULL, not_before = NULL, lane = %s WHERE endpoint_id = %s"
_LOCK: Final = "SELECT failing_since FROM sending WHERE endpoint_id = %s FOR UPDATE"
_FAILING: Final = """UPDATE sending SET failing_since = coalesce(failing_since, %s), lane = 'slow',
not_before = greatest(not_before, %s) WHERE endpoint_id = %s RETURNING failing_since"""
_FORWARD: Final = """UPDATE delivery SET due_at = %s WHERE endpoint_id = %s AND state = 'due' AND taken IS NULL
AND due_at > %s"""
_GIVE_UP: Final = """UPDATE delivery SET state = 'failed', taken = NULL WHERE (endpoint_id, number) IN (
SELECT endpoint_id, number FROM delivery WHERE endpoint_id = %s AND state IN ('due', 'waiting')
ORDER BY state DESC, number LIMIT %s)"""


class Noted(NamedTuple):
    """What follows from an answer: whether the delivery is given up, and whether its endpoint has been silent for
    long."""

    given_up: bool
    silent: bool


@dataclass(frozen=True, slots=True)
class Noter:
    """Writes down what became of deliveries, each in a transaction of its own."""

    pool: Pool
    uniform: Uniform

    async def note(self, taken: Taken, answer: Answer, began_at: datetime, now: datetime) -> Noted:
        """Record one attempt, and what follows from it. The rows of a removed endpoint are no more: nothing follows."""
        told = [
            taken.attempts + 1,
            began_at,
            answer.status,
            answer.took_ms,
            answer.said,
            taken.endpoint_id,
            taken.number,
        ]
        async with self.pool.connection() as conn, conn.transaction():
            row = await (await conn.execute(_LOCK, [taken.endpoint_id])).fetchone()
            if row is None:
                return Noted(given_up=False, silent=False)
            if answer.outcome == "delivered":
                async with conn.pipeline():  # one way there and back for all of it
                    await conn.execute(_ATTEMPT, told)
                    await self._arrived(conn, taken, answer, now, down_since=row[0])
                    await settle(conn, [(taken.endpoint_id, taken.aggregate)], now)
                return Noted(given_up=False, silent=False)
            await conn.execute(_ATTEMPT, told)
            noted = await self._missed(conn, taken, answer, began_at, now)
            await settle(conn, [(taken.endpoint_id, taken.aggregate)], now)
        return noted

    async def _arrived(
        self, conn: Connection, taken: Taken, answer: Answer, now: datetime, *, down_since: datetime | None
    ) -> None:
        """Where an endpoint was down and is well again, what waits for its next attempt is due now. It was down if what
        arrives had failed before, or nothing had arrived for a while: a receiver that refuses one event and takes the
        others is not asked about it at every success."""
        await conn.execute(_ARRIVED, [taken.endpoint_id, taken.number])
        await conn.execute(_WELL, ["slow" if answer.took_ms > SLOW_AFTER_MS else "fast", taken.endpoint_id])
        if down_since and (taken.tries or now - down_since >= DOWN_AFTER):
            await conn.execute(_FORWARD, [now, taken.endpoint_id, now])

    async def _missed(self, conn: Connection, taken: Taken, answer: Answer, began_at: datetime, now: datetime) -> Noted:
        first_at = taken.first_at or began_at
        asked, tried_once = not_before(answer, now), taken.type == TEST or answer.outcome == "gone"
        again = None if tried_once else retry_at(taken.tries + 1, first_at, now, self.uniform)
        if again and asked:
            again = max(again, asked)
        given = ["due" if again else "failed", again, first_at, taken.endpoint_id, taken.number, taken.token]
        missed = (await conn.execute(_MISSED, given)).rowcount == 1
        row = await (await conn.execute(_FAILING, [began_at, asked, taken.endpoint_id])).fetchone()
        given_up = missed and again is None
        silent = given_up and taken.type != TEST and row is not None and now - row[0] >= SILENT_AFTER
        return Noted(given_up, silent)

    async def give_up_all(self, endpoint_id: str) -> int:
        """Give up what is to be sent to an endpoint that is disabled: at most `FAILED_AT_ONCE_ROWS`, those that wait
        first, so that a due one is left as long as there are more. Should it be enabled again, it begins as one that
        never failed. Returns how many were given up."""
        async with self.pool.connection() as conn, conn.transaction():
            await locked(conn, [endpoint_id])
            ended = (await conn.execute(_GIVE_UP, [endpoint_id, FAILED_AT_ONCE_ROWS])).rowcount
            await conn.execute(_WELL, ["new", endpoint_id])
            await next_looks(conn, [endpoint_id])
        return ended
