"""Waiting for what a token stands for: one look serves all, and no answer is older than its question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from eventfold import Pool
from eventfold.publish.outgoing import Target
from eventfold.reading import consistency
from eventfold.reading.consistency import Token, reached
from servicekit import database
from servicekit.histories import OwnHistory
from servicekit.reading import TARGETS_REMEMBERED, Sequenced, Watch
from servicekit.server import local_resolver

WAITERS = 50
LONG_S, SHORT_S = 60.0, 0.01


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as conn:
        await conn.execute("DROP SCHEMA IF EXISTS reading CASCADE")
        await conn.execute("CREATE SCHEMA reading")
        await conn.execute(
            "CREATE TABLE reading.fold_position (projection text, topic text, partition integer, seq bigint)"
        )
    async with database.make_pool(f"{postgres_url}?options=-csearch_path%3Dreading", 2) as one:
        yield one


async def apply(pool: Pool, seq: int) -> None:
    async with pool.connection() as conn:
        await conn.execute("DELETE FROM fold_position")
        await conn.execute("INSERT INTO fold_position VALUES ('feed', 't', 0, %s)", [seq])


async def test_all_who_wait_share_a_look(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    applied = consistency.applied

    async def counted(conn: Any) -> Any:
        nonlocal looks
        looks += 1
        return await applied(conn)

    monkeypatch.setattr(consistency, "applied", counted)
    await apply(pool, 7)
    watch = Watch(pool)
    found = await asyncio.gather(*(watch.next() for _ in range(WAITERS)))
    assert looks == 1 and all(one == {("feed", "t", 0): 7} for one in found)


async def test_a_look_shows_what_was_applied_before_it_was_asked_for(pool: Pool) -> None:
    watch = Watch(pool)
    for seq in range(1, 20):
        earlier = asyncio.create_task(watch.next())
        await asyncio.sleep(0)
        await apply(pool, seq)
        assert (await watch.next())["feed", "t", 0] == seq
        await earlier


async def test_one_who_gives_up_does_not_take_the_look_from_the_others(pool: Pool) -> None:
    await apply(pool, 3)
    watch = Watch(pool)
    impatient, patient = asyncio.create_task(watch.next()), asyncio.create_task(watch.next())
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == {("feed", "t", 0): 3}


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        ({}, False),
        ({("feed", "t", 0): 4}, False),
        ({("feed", "t", 0): 5}, False),
        ({("feed", "t", 0): 5, ("counts", "t", 0): 9}, True),
        ({("feed", "t", 1): 5, ("counts", "t", 1): 5}, False),
        ({("feed", "t.g2", 0): 5, ("counts", "t.g2", 0): 5}, False),
    ],
)
def test_a_target_is_reached_by_all_who_read_its_topic(
    applied: dict[tuple[str, str, int], int], expected: bool
) -> None:
    readers = {"feed": ["t"], "counts": ["t", "other"], "elsewhere": ["other"]}
    assert reached(applied, readers, [Target("t", 0, 5)]) is expected


async def test_who_waits_for_an_event_is_woken_when_it_is_sequenced_and_nobody_else() -> None:
    sequenced = Sequenced()
    waiting = {n: asyncio.create_task(sequenced.wait(n % 3, LONG_S)) for n in range(6)}
    await asyncio.sleep(0)
    sequenced.tell({1: None, 7: None})
    done, _ = await asyncio.wait(waiting.values(), timeout=SHORT_S)
    assert done == {waiting[1], waiting[4]}
    for task in waiting.values():
        task.cancel()
    await asyncio.gather(*waiting.values(), return_exceptions=True)
    assert sequenced._waiting == {}, "nothing is kept of those who left"


async def test_nobody_waits_for_ever_and_who_was_told_twice_does_not_mind() -> None:
    sequenced = Sequenced()
    await sequenced.wait(1, SHORT_S)
    waiting = asyncio.create_task(sequenced.wait(1, LONG_S))
    await asyncio.sleep(0)
    sequenced.tell({1: None})
    sequenced.tell({1: None})
    await waiting
    assert sequenced._waiting == {}


async def test_where_events_went_is_remembered_for_the_newest_of_them_until_the_term_is_over() -> None:
    sequenced = Sequenced()
    assert sequenced.where(1) is None
    sequenced.tell({1: Target("t", 0, 1), 2: None})
    assert sequenced.where(1) == (Target("t", 0, 1),) and sequenced.where(2) == ()
    sequenced.tell(dict.fromkeys(range(3, TARGETS_REMEMBERED + 2)))
    assert sequenced.where(1) is None and sequenced.where(2) == ()
    sequenced.forget()
    assert sequenced.where(2) is None


async def test_who_asks_for_what_comes_next_waits_for_a_relay_that_leads_here_and_for_no_other() -> None:
    sequenced = Sequenced()
    assert await asyncio.wait_for(sequenced.soon(5), SHORT_S) is None, "no relay leads here, as far as is known"
    sequenced.tell({4: Target("t", 0, 1), 3: None})
    assert await asyncio.wait_for(sequenced.soon(2), SHORT_S) is None, "told before anybody can remember"
    coming = asyncio.create_task(sequenced.soon(5))
    await asyncio.sleep(0)
    assert not coming.done()
    sequenced.tell({5: Target("t", 0, 2)})
    assert await coming == (Target("t", 0, 2),)
    assert await asyncio.wait_for(sequenced.soon(6), LONG_S) is None, "it is late, and another way must be tried"
    sequenced.forget()
    assert await asyncio.wait_for(sequenced.soon(7), SHORT_S) is None


async def test_an_own_token_is_resolved_from_memory_and_one_that_covers_all_is_not() -> None:
    sequenced = Sequenced()
    sequenced.tell({1: Target("t", 0, 1)})
    wiring: Any = SimpleNamespace(history=OwnHistory(), sequenced=sequenced)  # nothing else is touched
    resolve = local_resolver(wiring)
    assert await resolve(Token("library", 1)) == (Target("t", 0, 1),)
    for token in (Token("library", 2), Token("library", 1, covers_all=True)):
        with pytest.raises(AttributeError, match="queries"):
            await resolve(token)
