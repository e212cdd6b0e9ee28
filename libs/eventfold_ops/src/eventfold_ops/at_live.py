"""Brings a shadow, for a moment, exactly to the positions of the live projection.

The shadow never goes past the live projection. When few records are missing, the projection's turns are taken, so that
the live worker waits, and the shadow is folded up to exactly the live positions. The final action runs in the
transaction that holds the turns, so it should be short.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Literal

from eventfold import Connection, Projection
from eventfold.errors import EventfoldError
from eventfold.fold.positions import take_turns
from eventfold.fold.readmodel import settings_of, turn
from eventfold.postgres import built_under, locks
from eventfold_ops import shadow
from eventfold_ops.deployment import Deployment
from eventfold_ops.refold import Refold, live_positions
from eventfold_ops.shadow import Shadow

FINAL_RECORDS = 10_000
"""Number of records that may be missing when the live worker is made to wait."""
MAX_TRIES = 50
LOCK_WAIT_MS = 2000
HOLD_TURNS_MS = 60_000
"""How long folding the missing records may keep the live worker waiting."""

AtTheEnd = Callable[[Connection, Shadow], Awaitable[None]]


class RebuildRunning(EventfoldError):
    """Another rebuild or comparison of this projection is running."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is being rebuilt or compared already; wait for it or end it")


class NeverCaughtUp(EventfoldError):
    """The live projection stayed ahead of the shadow. The folded rows stay: run the command again."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the shadow of {name} did not catch up in {MAX_TRIES} tries; run it again at a quieter time")


@contextlib.asynccontextmanager
async def at_live_positions(
    deployment: Deployment,
    projection: Projection,
    act: AtTheEnd,
    *,
    keep: bool,
    fresh: bool,
    new_settings: bool = False,
) -> AsyncIterator[Shadow]:
    """Fold a shadow, and run `act` in a transaction in which the shadow stands exactly where the live projection does.

    Then the turns are given back, and the block has the shadow to itself. The shadow is dropped on leaving. With
    `keep`, the folded rows survive a failure, and the same build can resume them. With `fresh`, the remains of an
    earlier run are dropped first. Raises `BuiltUnderOther` if the live rows were built under other settings than this
    process has, unless these are wanted as `new_settings`.
    """
    async with await deployment.connect() as conn, _alone(conn, projection.name):
        if not new_settings:
            await built_under.check(conn, settings_of([projection]))
        one = await shadow.beside(conn, projection)
        if fresh:
            await shadow.drop(conn, one)
        await shadow.create(conn, one, deployment.build)
        try:
            await _fold_and(deployment, conn, one, act)
            yield one
        except BaseException:
            if not keep:
                await shadow.drop(conn, one)
            raise
        await shadow.drop(conn, one)


@contextlib.asynccontextmanager
async def _alone(conn: Connection, name: str) -> AsyncIterator[None]:
    """Allow one rebuild of a projection at a time; the lock ends with the connection."""
    cursor = await conn.execute(f"SELECT pg_try_advisory_lock({locks.key('rebuild', '%s')})", [name])
    if await cursor.fetchone() != (True,):
        raise RebuildRunning(name)
    yield


async def _fold_and(deployment: Deployment, conn: Connection, one: Shadow, act: AtTheEnd) -> None:
    async with Refold.over(deployment, conn, one) as refold:
        for _ in range(MAX_TRIES):
            await refold.up_to_live(conn)
            with contextlib.suppress(LockNotAvailable):
                if await _finished(conn, one, refold, act):
                    return
    raise NeverCaughtUp(one.projection.name)


async def _finished(conn: Connection, one: Shadow, refold: Refold, act: AtTheEnd) -> bool:
    """While holding the projection's turns, fold the missing records and act. Returns False if too many are missing."""
    async with conn.transaction():
        await conn.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(LOCK_WAIT_MS)))
        places = {*await refold.places(), *await live_positions(conn, one.projection.name)}
        await take_turns(conn, {turn(one.projection, *place) for place in places} | {one.projection.name})
        await conn.execute(SQL("SET LOCAL idle_in_transaction_session_timeout = {}").format(Literal(HOLD_TURNS_MS)))
        moved_on = not places >= set(await live_positions(conn, one.projection.name))
        if moved_on or await refold.missing(conn) > FINAL_RECORDS:
            return False
        await refold.up_to_live(conn)
        await act(conn, one)
        return True
