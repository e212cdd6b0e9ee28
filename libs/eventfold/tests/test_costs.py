"""Round trips to PostgreSQL, held to what they are: whoever needs more says so here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from delivering import record
from house import House, context
from psycopg_pool import AsyncConnectionPool
from shelf import COUNTING, HOT_SHELF, SHELF, TOPIC, JsonInsteadOfAvro, add

from eventfold import FoldGroup, Idempotency, Item
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.testing import counted

Doing = Callable[[House, int], Awaitable[object]]


async def one_command(house: House, n: int) -> None:
    await house.store.handle(add("one", f"{n}"), context())


async def of_two_streams(house: House, n: int) -> None:
    await house.store.handle(Item((add("one", f"{n}").asks[0], add("two", f"{n}").asks[0])), context())


async def under_a_key(house: House, n: int) -> None:
    await house.store.handle(add("one", f"{n}"), context(), idempotency=Idempotency("s", f"{n}", b"print"))


async def on_a_hot_stream(house: House, n: int) -> None:
    await house.store.handle(add("one", f"{n}", HOT_SHELF), context())


async def a_batch_of_fifty(house: House, n: int) -> None:
    await house.store.handle_batch([add(f"{k}", f"{n}") for k in range(50)], context())


async def nothing_new(house: House, n: int) -> None:
    await house.store.handle(add("one", "the same"), context())


async def a_state(house: House, n: int) -> None:
    await house.store.current(SHELF.at("one"))


async def one_record(house: House, n: int) -> None:
    await _fold(house, n, 1)


async def a_hundred_records(house: House, n: int) -> None:
    await _fold(house, n, 100)


async def _fold(house: House, n: int, count: int) -> None:
    runner = FoldRunner(
        worker="test",
        pool=house.pool,
        avro=JsonInsteadOfAvro(),
        store=house.store,
        topic_prefix=house.prefix,
        groups=[FoldGroup("shelves", (COUNTING,), parks=True)],
    )
    records = [record(n * count + k, n * count + k + 1, f"{k % 7}", "x") for k in range(count)]
    await runner.apply([PartitionBatch(house.prefix + TOPIC, 0, records)])


@pytest.mark.parametrize(
    ("doing", "round_trips"),
    [
        (one_command, 2),
        (of_two_streams, 2),
        (nothing_new, 1),
        (under_a_key, 6),
        (on_a_hot_stream, 4),
        (a_batch_of_fifty, 2),
        (a_state, 1),
        (one_record, 7),
        (a_hundred_records, 7),
    ],
)
async def test_each_costs_so_many_round_trips(house: House, doing: Doing, round_trips: int) -> None:
    # One connection: a busy pool grows by others, and the first use of each costs a setting more.
    async with AsyncConnectionPool(house.url, min_size=1, max_size=1, open=False, kwargs={"autocommit": True}) as pool:
        alone = replace(house, pool=pool).restarted()
        for n in range(2):
            await doing(alone, n)
        async with counted() as cost:
            await doing(alone, 2)
    assert cost.round_trips == round_trips
