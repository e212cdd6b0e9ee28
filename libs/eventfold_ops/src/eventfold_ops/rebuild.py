"""`rebuild PROJECTION`: fold a projection from zero into a shadow while the live one serves, then swap.

The shadow never goes past the live projection. When little is missing, the projection's turns are taken, so that the
live worker waits; the shadow is folded up to exactly the live positions, and one transaction swaps. The worker then
goes on from positions that are the same as before. A killed rebuild is resumed from the shadow's own positions.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict

import orjson
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Literal

from eventfold.errors import EventfoldError
from eventfold.fold import turn
from eventfold.positions import take_turns
from eventfold.readmodel import Projection
from eventfold.store import Connection
from eventfold_ops import comparing, shadow
from eventfold_ops.deployment import Deployment
from eventfold_ops.refold import Refold, live_positions
from eventfold_ops.shadow import Shadow

FINAL_RECORDS = 10_000
"""How much may be missing when the live worker is made to wait."""
MAX_TRIES = 50
LOCK_WAIT_MS = 2000
HOLD_TURNS_MS = 60_000
"""How long folding what is missing may keep the live worker waiting."""

AtTheEnd = Callable[[Connection, Shadow], Awaitable[int]]


class RebuildRunning(EventfoldError):
    """Another rebuild or comparison of this projection is under way."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is being rebuilt or compared already; wait for it or end it")


class NeverCaughtUp(EventfoldError):
    """The live projection kept ahead of the shadow. What is folded stays: run the command again."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the shadow of {name} did not catch up in {MAX_TRIES} tries; run it again at a quieter time")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command `rebuild`."""
    parser = commands.add_parser("rebuild", help="fold a projection anew beside the live one, and swap")
    parser.set_defaults(run=run)
    parser.add_argument("projection", help="its name, as in fold_position")
    parser.add_argument("--compare-only", action="store_true", help="compare with the live rows, and swap nothing")
    parser.add_argument("--fresh", action="store_true", help="start from zero even if a killed rebuild left something")


async def run(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """0 when swapped (or equal), 1 when a comparison finds a difference. Raises `EventfoldError`."""
    projection = deployment.projection(arguments.projection)
    if arguments.compare_only:
        return await comparison(deployment, projection, as_json=arguments.json)
    return await at_live_positions(deployment, projection, swap, keep=True, fresh=arguments.fresh)


async def at_live_positions(
    deployment: Deployment, projection: Projection, act: AtTheEnd, *, keep: bool, fresh: bool
) -> int:
    """Fold a shadow, and `act` on it in a transaction in which it stands exactly where the live projection does.

    With `keep`, what was folded outlives a failure, to be resumed.
    """
    async with await deployment.connect() as conn, _alone(conn, projection.name):
        one = await shadow.beside(conn, projection)
        if fresh:
            await shadow.drop(conn, one)
        await shadow.create(conn, one)
        try:
            result = await _fold_and(deployment, conn, one, act)
        except BaseException:
            if not keep:
                await shadow.drop(conn, one)
            raise
        await shadow.drop(conn, one)
        return result


@contextlib.asynccontextmanager
async def _alone(conn: Connection, name: str) -> AsyncIterator[None]:
    """One rebuild of a projection at a time; the lock goes with the connection."""
    cursor = await conn.execute(
        "SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '|rebuild|' || %s, 0))", [name]
    )
    if await cursor.fetchone() != (True,):
        raise RebuildRunning(name)
    yield


async def _fold_and(deployment: Deployment, conn: Connection, one: Shadow, act: AtTheEnd) -> int:
    async with Refold.over(deployment, conn, one) as refold:
        for _ in range(MAX_TRIES):
            await refold.up_to_live(conn)
            with contextlib.suppress(LockNotAvailable):
                result = await _finish(conn, one, refold, act)
                if result is not None:
                    return result
    raise NeverCaughtUp(one.projection.name)


async def _finish(conn: Connection, one: Shadow, refold: Refold, act: AtTheEnd) -> int | None:
    """With the projection's turns held: fold what is missing and act; None where too much is missing."""
    async with conn.transaction():
        await conn.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(LOCK_WAIT_MS)))
        places = {*await refold.places(), *await live_positions(conn, one.projection.name)}
        await take_turns(conn, {turn(one.projection, *place) for place in places} | {one.projection.name})
        await conn.execute(SQL("SET LOCAL idle_in_transaction_session_timeout = {}").format(Literal(HOLD_TURNS_MS)))
        moved_on = not places >= set(await live_positions(conn, one.projection.name))
        if moved_on or await refold.missing(conn) > FINAL_RECORDS:
            return None
        await refold.up_to_live(conn)
        return await act(conn, one)


async def swap(conn: Connection, one: Shadow) -> int:
    """Make the shadow live."""
    await shadow.swap(conn, one)
    return 0


async def comparison(deployment: Deployment, projection: Projection, *, as_json: bool) -> int:
    """Print what differs, table by table; 1 where anything does. Changes nothing."""
    found: list[comparing.Compared] = []

    async def compare(conn: Connection, one: Shadow) -> int:
        found[:] = [await comparing.compare(conn, table, one.live, one.shadow) for table in projection.tables]
        return int(not all(compared.equal for compared in found))

    status = await at_live_positions(deployment, projection, compare, keep=False, fresh=True)
    lines = [orjson.dumps([{**asdict(one), "equal": one.equal} for one in found], default=str).decode()]
    print("\n".join(lines if as_json else map(describe, found)))  # noqa: T201 - the result
    return status


def describe(compared: comparing.Compared) -> str:
    """One line for a table."""
    if compared.equal:
        return f"{compared.table}: equal, {compared.live_rows:,} rows, content {compared.live_hash}"
    keys = ", ".join("/".join(map(str, key)) for key in compared.different)
    return (
        f"{compared.table}: DIFFERENT, live {compared.live_rows:,} rows, content {compared.live_hash}; "
        f"folded anew {compared.shadow_rows:,} rows, content {compared.shadow_hash}; first keys: {keys}"
    )
