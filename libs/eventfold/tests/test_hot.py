"""Hot streams: commands that wait together are decided together, and each is answered as if it had been alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from house import House, context
from shelf import HOT_SHELF, add

from eventfold import Idempotency
from eventfold.errors import Contention, EventfoldError, IdempotencyMismatch, Unpublishable, WrongState
from eventfold.write import hot
from eventfold.write.hot import HotQueue

COMMANDS, WRITERS_SHELF = 30, "one"
TITLES = ["t1", "t2", "t3", "t4", "audit", "", "unpublishable"]
KEYS = [None, None, "k1", "k2", "k3"]

Asked = tuple[str, str | None]
"""A title and an idempotency key."""


async def handled(house: House, asked: Asked) -> object:
    """What the caller gets: the versions that it caused, or the class of its error."""
    title, key = asked
    idempotency = Idempotency("caller", key, title.encode()) if key else None
    try:
        found = await house.store.handle(
            add(WRITERS_SHELF, title, HOT_SHELF),
            context(),
            idempotency=idempotency,
            answer=lambda outcomes: {"versions": [event.version for event in outcomes[0].events]},
        )
    except EventfoldError as error:
        return type(error)
    return found.answer["versions"]


class Expected:
    """The same, from plain lists: one command after the other."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.answers: dict[str, tuple[str, list[int]]] = {}

    def handled(self, asked: Asked) -> object:
        title, key = asked
        if key in self.answers:
            first, versions = self.answers[key]
            return versions if first == title else IdempotencyMismatch
        if title == "":
            return WrongState
        if title == "unpublishable":
            return Unpublishable
        new = title == "audit" or title not in self.titles
        self.titles += [title] * new
        versions = [len(self.titles)] if new else []
        if key:
            self.answers[key] = (title, versions)
        return versions


@pytest.mark.parametrize("seed", range(12))
async def test_each_of_many_at_once_is_answered_as_if_one_came_after_the_other(house: House, seed: int) -> None:
    rng, expected = random.Random(seed), Expected()
    asked: list[Asked] = [(rng.choice(TITLES), rng.choice(KEYS)) for _ in range(COMMANDS)]
    found = await asyncio.gather(*(handled(house, one) for one in asked))
    assert found == [expected.handled(one) for one in asked]
    recorded = await house.rows("SELECT coalesce(data->>'title', 'audit') FROM events ORDER BY version")
    assert [title for (title,) in recorded] == expected.titles


async def test_each_of_many_at_once_has_a_token_of_its_own(house: House) -> None:
    titles = ["a", "b", "a", "c"]
    found = await asyncio.gather(*(house.store.handle(add("one", title, HOT_SHELF), context()) for title in titles))
    rows = await house.rows("SELECT data->>'title', position FROM events")
    positions = {title: position for title, position in rows}  # noqa: C416 - rows are tuples of objects to the checker
    assert [one.position for one in found] == [positions["a"], positions["b"], None, positions["c"]]


async def test_what_waits_is_decided_together_in_one_transaction(house: House) -> None:
    titles = [f"t{n}" for n in range(COMMANDS)]
    await asyncio.gather(*(house.store.handle(add("one", title, HOT_SHELF), context()) for title in titles))
    [(transactions,)] = await house.rows("SELECT count(DISTINCT xmin::text) FROM events")
    assert isinstance(transactions, int) and transactions <= 1 + COMMANDS // hot.TOGETHER + 1


class Deciding:
    """Stands still until it is let go on; answers each command with its own name."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go_on = asyncio.Event()

    async def __call__(self, commands: Sequence[str]) -> Sequence[str | Exception]:
        self.batches.append(list(commands))
        await self.go_on.wait()
        if "fails all" in commands:
            raise RuntimeError("the connection is lost")
        return [WrongState(command) if command == "refused" else command for command in commands]


async def waiting(queue: HotQueue[str, str], commands: Sequence[str]) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(queue.ask("s", command)) for command in commands]
    await asyncio.sleep(0)
    return tasks


async def test_commands_are_taken_in_the_order_in_which_they_came() -> None:
    deciding = Deciding()
    queue: HotQueue[str, str] = HotQueue(deciding)
    tasks = await waiting(queue, ["a"]) + await waiting(queue, ["b", "refused", "c"])
    deciding.go_on.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one if isinstance(one, str) else type(one) for one in found] == ["a", "b", WrongState, "c"]
    assert [command for batch in deciding.batches for command in batch] == ["a", "b", "refused", "c"]


async def test_a_caller_that_left_while_it_waited_has_asked_nothing() -> None:
    deciding = Deciding()
    queue: HotQueue[str, str] = HotQueue(deciding)
    first, second, third = [*await waiting(queue, ["a"]), *await waiting(queue, ["b", "c"])]
    second.cancel()
    await asyncio.sleep(0)
    deciding.go_on.set()
    assert await asyncio.gather(first, third) == ["a", "c"]
    assert "b" not in [command for batch in deciding.batches for command in batch]


async def test_a_failure_of_all_is_raised_in_each_and_the_next_are_served() -> None:
    deciding = Deciding()
    deciding.go_on.set()
    queue: HotQueue[str, str] = HotQueue(deciding)
    for task in await waiting(queue, ["fails all"]):
        with pytest.raises(RuntimeError, match="connection is lost"):
            await task
    assert await queue.ask("s", "a") == "a"


async def test_more_than_can_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot, "MAX_WAITING", 2)
    deciding = Deciding()
    queue: HotQueue[str, str] = HotQueue(deciding)
    tasks = await waiting(queue, ["a"]) + await waiting(queue, ["b", "c", "d"])
    with pytest.raises(Contention):
        await tasks[-1]
    deciding.go_on.set()
    assert await asyncio.gather(*tasks[:-1]) == ["a", "b", "c"]


async def test_a_hot_stream_is_loaded_by_an_index_and_not_by_reading_all_events(house: House) -> None:
    """Else each of its commands costs what the whole store holds."""
    for n in range(20):
        await house.store.handle(add("one", f"{n}", HOT_SHELF), context())
    async with await house.connect() as conn:
        await conn.execute("SET random_page_cost = 1.1")  # as services have it
        await conn.execute("BEGIN")
        await house.store.decide(conn, [add("one", "more", HOT_SHELF)], context())
        scans = "SELECT seq_scan, idx_scan > 0 FROM pg_stat_xact_user_tables WHERE relid = 'events'::regclass"
        assert await (await conn.execute(scans)).fetchall() == [(0, True)]
