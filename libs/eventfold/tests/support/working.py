"""Fold workers of the example domain as processes, the load they work on, and what must have come of it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator

from house import House, context
from processes import SUPPORT, running
from relaying import eventually, everything_acknowledged
from shelf import add

from eventfold.publish.brokers import Brokers

SHELVES, BOOKS = 40, 50
LOAD_PAUSE_S = 0.02


def worker(
    house: House, brokers: Brokers, mode: str = "plain", *port: str
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """A fold worker, killed when the block ends."""
    return running(SUPPORT / "shelf_worker.py", house, brokers, mode, *port)


_TELLING = """ALTER TABLE fold_position ADD COLUMN applied_by text;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN NEW.applied_by := current_setting('application_name'); RETURN NEW; END$$;
CREATE TRIGGER tell BEFORE INSERT OR UPDATE ON fold_position FOR EACH ROW EXECUTE FUNCTION tell()"""


async def tell_who_applies(house: House) -> None:
    """From now on each partition's position says which process moved it: the one whose transaction also wrote rows."""
    async with house.pool.connection() as conn:
        await conn.execute(_TELLING)


async def shared_by(house: House, *workers: subprocess.Popen[bytes], deadline_s: float = 60) -> None:
    """Wait until every partition has moved on from now, last by one of these workers, and each of them moved one."""
    since = (await house.rows("SELECT clock_timestamp()"))[0][0]
    wanted = {(str(one.pid), True) for one in workers}

    async def shared() -> bool:
        return set(await house.rows(f"SELECT applied_by, applied_at > '{since}' FROM fold_position")) == wanted

    await eventually(shared, deadline_s)


async def publish(house: House, round_: int) -> None:
    for n in range(BOOKS):
        items = [add(f"{shelf}", f"{round_}.{n}") for shelf in range(SHELVES)]
        await house.store.handle_batch(items, context())


async def folded_by_a_worker_that_left(house: House, brokers: Brokers) -> None:
    """A first round is published and in the projection; no worker runs any more."""
    with worker(house, brokers):
        await publish(house, 0)
        await folded_as_recorded(house)


async def applied(house: House) -> int:
    rows = await house.rows("SELECT coalesce(sum(books), 0)::int FROM shelf_count")
    count = rows[0][0]
    assert isinstance(count, int)
    return count


@contextlib.asynccontextmanager
async def loading(house: House, name: str) -> AsyncIterator[None]:
    """Appends beside a test: a book for each shelf, again and again, until the block ends."""
    ending = asyncio.Event()

    async def append() -> None:
        n = 0
        while not ending.is_set():
            await house.store.handle_batch([add(f"{shelf}", f"{name}.{n}") for shelf in range(SHELVES)], context())
            n += 1
            await asyncio.sleep(LOAD_PAUSE_S)

    task = asyncio.create_task(append())
    try:
        yield
    finally:
        ending.set()
        await task


ORACLE = """SELECT stream, count(*)::int, string_agg(data->>'title' || ';', '' ORDER BY version)
FROM events WHERE type = 'book.added' GROUP BY stream ORDER BY 1"""


async def as_recorded(house: House) -> bool:
    """Whether the projection says, book for book and in order, what the store holds."""
    return await house.rows("SELECT shelf, books, digest FROM shelf_count ORDER BY 1") == await house.rows(ORACLE)


async def folded_as_recorded(house: House, deadline_s: float = 60) -> None:
    """Wait until everything is sent and applied; fails when the projection never says what the store holds."""
    await eventually(lambda: everything_acknowledged(house), deadline_s)
    await eventually(lambda: as_recorded(house), deadline_s)
