"""Remembered states: never anything but what the events say, and gone without harm."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from house import NOW, House, context
from shelf import CODEC, DECIDER, SHELF, Shelf, add

from eventfold import EventStore, SnapshotPolicy, StreamType
from eventfold.write import loading
from eventfold.write.rows import StoredRow
from eventfold.write.snapshots import Known, StateCache

EVERY = 3
LONG = StreamType("longshelf", DECIDER, snapshots=SnapshotPolicy(Shelf, 1, EVERY))
TITLES = [f"{n}" for n in range(8)]


def another(house: House) -> EventStore:
    """A process of its own, which remembers nothing."""
    return EventStore(house.pool, CODEC, house.publisher, random.Random(1))


async def fill(house: House, titles: list[str], kind: StreamType = LONG) -> None:  # type: ignore[type-arg]
    for title in titles:
        await another(house).handle(add("one", title, kind), context())


async def titles(store: EventStore, kind: StreamType = LONG) -> list[str]:  # type: ignore[type-arg]
    return sorted((await store.current(kind.at("one"))).titles)


async def test_a_snapshot_is_written_with_the_events_that_fill_it(house: House) -> None:
    await fill(house, TITLES)
    assert await house.rows("SELECT stream, schema_version, version FROM snapshot") == [("longshelf-one", 1, 6)]


async def test_states_are_the_same_with_and_without_snapshots(house: House) -> None:
    await fill(house, TITLES)
    with_snapshot = await titles(another(house))
    await house.rows("DELETE FROM snapshot RETURNING 1")
    assert with_snapshot == await titles(another(house)) == TITLES


async def test_only_what_came_after_a_snapshot_is_read(house: House) -> None:
    await fill(house, TITLES)
    await house.rows("""UPDATE snapshot SET state = '{"titles": ["from the snapshot"]}' RETURNING 1""")
    assert await titles(another(house)) == ["6", "7", "from the snapshot"]


async def test_a_snapshot_of_another_version_is_ignored_and_replaced(house: House) -> None:
    await fill(house, TITLES)
    newer = replace(LONG, snapshots=SnapshotPolicy(Shelf, 2, EVERY))
    await house.rows("""UPDATE snapshot SET state = '{"titles": ["of an older class"]}' RETURNING 1""")
    assert await titles(another(house), newer) == TITLES
    await fill(house, ["8", "9"], newer)
    assert await house.rows("SELECT schema_version, version FROM snapshot") == [(2, 9)]
    assert await titles(another(house), newer) == [*TITLES, "8", "9"]


async def test_what_was_rolled_back_is_not_remembered(house: House) -> None:
    store = another(house)
    await store.handle(add("one", "a", LONG), context())

    def failing(_: object) -> dict[str, object]:
        raise RuntimeError("killed before the commit")

    hot = replace(LONG, hot=True)
    with pytest.raises(RuntimeError):
        await store.handle(add("one", "b", hot), context(), answer=failing)
    assert await titles(store) == ["a"]


async def test_a_database_that_fell_back_is_believed_and_not_the_memory(house: House) -> None:
    store, hot = another(house), replace(LONG, hot=True)
    for title in TITLES:
        await store.handle(add("one", title, hot), context())
    await house.rows("DELETE FROM snapshot RETURNING 1")
    await house.rows("DELETE FROM events WHERE version > 2 RETURNING 1")
    assert await titles(store, hot) == ["0", "1"]
    later = replace(context(), now=NOW + timedelta(seconds=1))
    await another(house).handle(add("one", "written elsewhere", hot), later)
    await store.handle(add("one", "x", hot), later)
    assert await titles(another(house), hot) == await titles(store, hot) == ["0", "1", "written elsewhere", "x"]
    assert await house.rows("SELECT version FROM events ORDER BY version") == [(1,), (2,), (3,), (4,)]


async def test_another_process_may_write_between(house: House) -> None:
    first, second = another(house), another(house)
    for n, store in enumerate([first, second] * 4):
        await store.handle(add("one", f"{n}", LONG), context())
    assert await titles(first) == await titles(second) == TITLES


@pytest.mark.parametrize("kind", [SHELF, LONG, replace(SHELF, hot=True)], ids=["plain", "snapshots", "hot"])
@pytest.mark.parametrize("events", [0, 1, 3, 4, 5, 8, 9, 13])
async def test_a_long_stream_is_read_part_by_part(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    events: int,
    kind: StreamType,  # type: ignore[type-arg]
) -> None:
    """Of which none is larger than the bound, by those who decide and by those who read."""
    monkeypatch.setattr(loading, "EVENTS_AT_ONCE", 4)
    sizes: list[int] = []
    monkeypatch.setattr(loading.Loader, "rows_after", counting(loading.Loader.rows_after, sizes))
    written = [f"{n:02}" for n in range(events)]
    for title in written:
        await another(house).handle(add("one", title, kind), context())
    other = await another(house).handle_batch([add("two", "a", kind), add("one", "last", kind)], context())
    assert [event.version for outcome in other.outcomes for event in outcome.events] == [1, events + 1]
    assert await titles(another(house), kind) == [*written, "last"]
    assert max(sizes) <= 4


def counting(
    read: Callable[..., Awaitable[dict[str, list[StoredRow]]]], sizes: list[int]
) -> Callable[..., Awaitable[dict[str, list[StoredRow]]]]:
    async def counted(*given: Any, **named: Any) -> dict[str, list[StoredRow]]:
        found = await read(*given, **named)
        sizes.extend(map(len, found.values()))
        return found

    return counted


async def test_a_stream_reads_as_it_was_recorded_at_a_time(house: House) -> None:
    for day in range(3):
        later = replace(context(), now=NOW + timedelta(days=day))
        await house.store.handle(add("one", f"{day}"), later)
    ask = SHELF.at("one")
    async with house.pool.connection() as conn:
        for day in range(3):
            state = await house.store.state(conn, ask, as_of=NOW + timedelta(days=day, hours=1))
            assert sorted(state.titles) == [f"{n}" for n in range(day + 1)]
        assert await house.store.state(conn, ask, as_of=NOW - timedelta(days=1)) == Shelf()


REMEMBERED = StreamType("remembered", DECIDER, remembered=True)


@pytest.mark.parametrize("seed", range(6))
async def test_processes_that_remember_states_see_what_the_others_wrote(house: House, seed: int) -> None:
    rng, others = random.Random(seed), [house, house.restarted(), house.restarted()]
    expected: list[str] = []
    for title in (rng.choice("abcdef") for _ in range(40)):
        handled = await rng.choice(others).store.handle(add("one", title, REMEMBERED), context())
        assert bool(handled.outcomes[0].events) == (title not in expected)
        expected += [title] * (title not in expected)
    assert await house.rows("SELECT data->>'title' FROM events ORDER BY version") == [(title,) for title in expected]


def test_the_memory_is_bounded_and_keeps_the_newest_state() -> None:
    cache = StateCache(limit=2)
    for stream, version in (("a", 2), ("a", 1), ("b", 1), ("a", 3), ("c", 1)):
        cache.put(stream, Known(version, None))
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (Known(3, None), None, Known(1, None))


def test_the_memory_is_bounded_in_bytes_too_and_a_state_that_fills_it_is_not_kept() -> None:
    cache = StateCache(limit=100, limit_bytes=1000)
    for n in range(20):
        cache.put(f"{n}", Known(1, "x" * 98))  # with its quotes 100 bytes
    assert [cache.get(f"{n}") is not None for n in range(20)] == [False] * 10 + [True] * 10
    cache.put("large", Known(1, "x" * 300))
    assert cache.get("large") is None and cache.get("19") is not None
    cache.put("19", Known(2, "x" * 198))  # it has doubled, and is weighed anew
    assert cache.get("10") is None and cache.get("11") is not None and cache.get("19") == Known(2, "x" * 198)
    for n in range(11, 20):
        cache.forget(f"{n}")
    cache.put("again", Known(1, "x" * 98))
    assert cache.get("again") is not None
