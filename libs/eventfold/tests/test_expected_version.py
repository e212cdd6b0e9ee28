"""A command may say at which version of its stream it is to be decided."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from house import House, context
from shelf import HOT_SHELF, SHELF, AddBook, add

from eventfold import ANY_VERSION, Ask, Handled, Idempotency, Item
from eventfold.errors import UnexpectedVersion
from eventfold.vocabulary.decider import NO_STREAM

KINDS = pytest.mark.parametrize("kind", [SHELF, HOT_SHELF], ids=lambda kind: kind.name)


def adding(title: str, expected: int | None, kind: object = SHELF, *, new: bool = False) -> Item:
    return Item((Ask(kind, "one", AddBook(title), new=new, expected=expected),))  # type: ignore[arg-type]


async def written(house: House) -> list[str]:
    return [str(title) for (title,) in await house.rows("SELECT data->>'title' FROM events ORDER BY position")]


@KINDS
async def test_it_is_decided_where_the_stream_has_that_version(house: House, kind: object) -> None:
    await house.store.handle(adding("a", NO_STREAM, kind), context())
    await house.store.handle(adding("b", 1, kind), context())
    await house.store.handle(adding("c", ANY_VERSION, kind), context())
    assert await written(house) == ["a", "b", "c"]


@KINDS
@pytest.mark.parametrize("expected", [NO_STREAM, 1, 3])
async def test_it_is_refused_at_another_and_leaves_nothing(house: House, kind: object, expected: int) -> None:
    for title in ("a", "b"):
        await house.store.handle(adding(title, ANY_VERSION, kind), context())
    with pytest.raises(UnexpectedVersion) as refused:
        await house.store.handle(adding("c", expected, kind), context())
    assert refused.value.ids == {"stream": f"{kind.name}-one", "expected": str(expected), "found": "2"}  # type: ignore[attr-defined]
    assert await written(house) == ["a", "b"]


async def test_it_is_refused_at_another_even_where_nothing_is_left_to_do(house: House) -> None:
    await house.store.handle(adding("a", NO_STREAM), context())
    with pytest.raises(UnexpectedVersion):
        await house.store.handle(adding("a", NO_STREAM), context())


async def test_a_stream_said_to_be_new_that_is_there_is_refused_though_it_was_not_read_at_first(house: House) -> None:
    await house.store.handle(adding("a", ANY_VERSION), context())
    with pytest.raises(UnexpectedVersion):
        await house.store.handle(adding("b", NO_STREAM, new=True), context())
    assert await written(house) == ["a"]


@KINDS
async def test_of_writers_that_expect_the_same_version_one_comes_through(house: House, kind: object) -> None:
    await house.store.handle(adding("first", NO_STREAM, kind), context())
    asked = [house.store.handle(adding(f"{n}", 1, kind), context()) for n in range(8)]
    made = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, Handled) for one in made) == 1
    assert sum(isinstance(one, UnexpectedVersion) for one in made) == 7
    assert len(await written(house)) == 2


async def test_asked_again_under_its_key_it_is_answered_again(house: House) -> None:
    key = Idempotency("adding", "k", b"a")
    first = await house.store.handle(adding("a", NO_STREAM), context(), idempotency=key)
    again = await house.store.handle(adding("a", NO_STREAM), context(), idempotency=key)
    assert again.replayed and again.position == first.position


async def test_in_a_batch_it_counts_what_the_earlier_ones_decided_and_stops_no_other(house: House) -> None:
    items = [adding("a", NO_STREAM), adding("b", NO_STREAM), adding("c", 1), add("two", "d")]
    handled = await house.store.handle_batch(items, context())
    assert [type(one.error) for one in handled.outcomes] == [type(None), UnexpectedVersion, type(None), type(None)]
    assert await written(house) == ["a", "c", "d"]


async def test_an_item_over_two_streams_is_refused_whole(house: House) -> None:
    two = replace(add("two", "b").asks[0], expected=5)
    with pytest.raises(UnexpectedVersion):
        await house.store.handle(Item((adding("a", NO_STREAM).asks[0], two)), context())
    assert await written(house) == []
