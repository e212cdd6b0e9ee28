"""Writers of shelves beside their model: every answer of the store is held to what the model says it must be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from house import House, context
from shelf import HOT_SHELF, SHELF, AddBook
from shelf_model import Model

from eventfold import Ask, Connection, Handled, Idempotency, Item, Recorded
from eventfold.errors import IdempotencyMismatch

HOT = "h"
"""The one shelf whose writers queue."""


def stream_of(shelf: str) -> str:
    return (HOT_SHELF if shelf == HOT else SHELF).stream(shelf)


def item(shelf: str, title: str, *, said_to_be_new: bool = False) -> Item:
    return Item((Ask(HOT_SHELF if shelf == HOT else SHELF, shelf, AddBook(title), new=said_to_be_new),))


class Writers:
    """Commands, repeated, colliding, and cut off before or after their commit."""

    def __init__(self, house: House, model: Model) -> None:
        self._house = house
        self._model = model
        self._answers: dict[str, tuple[str, str, Handled]] = {}
        self._slow: tuple[Connection, str, str] | None = None
        self._slow_shelves = 0

    @property
    def answered(self) -> bool:
        """Whether there is an answer that a caller may ask for again."""
        return bool(self._answers)

    @property
    def slow(self) -> bool:
        """Whether a slow transaction is open."""
        return self._slow is not None

    async def add(self, shelf: str, title: str) -> None:
        expected = self._model.decide(shelf, title)
        handled = await self._house.store.handle(item(shelf, title, said_to_be_new=True), context())
        self._model.committed(shelf, title)
        assert len(_events(handled)) == len(expected)
        assert all(event.version == len(self._model.streams[shelf]) for event in _events(handled))

    async def add_all(self, books: list[tuple[str, str]]) -> None:
        """Several decisions in one transaction, each seeing the ones before it."""
        handled = await self._house.store.handle_batch([item(shelf, title) for shelf, title in books], context())
        for (shelf, title), outcome in zip(books, handled.outcomes, strict=True):
            assert len(outcome.events) == len(self._model.decide(shelf, title))
            self._model.committed(shelf, title)

    async def add_with_key(self, shelf: str, title: str, key: str) -> None:
        """A new key, or the old one again: with its input it is answered, with another it is refused."""
        fingerprint = f"{shelf}/{title}".encode()
        known = self._answers.get(key)
        ask: Callable[[], Awaitable[Handled]] = lambda: self._house.store.handle(  # noqa: E731
            item(shelf, title),
            context(),
            idempotency=Idempotency("caller", key, fingerprint),
            answer=lambda outcomes: {"events": len(outcomes[0].events)},
        )
        if known is None:
            handled = await ask()
            assert handled.answer == {"events": len(self._model.decide(shelf, title))} and not handled.replayed
            self._model.committed(shelf, title)
            self._answers[key] = (shelf, title, handled)
        elif known[:2] == (shelf, title):
            again = await ask()
            assert again.replayed and (again.answer, again.position) == (known[2].answer, known[2].position)
        else:
            with pytest.raises(IdempotencyMismatch):
                await ask()

    async def repeat(self, index: int) -> None:
        """A caller that missed its answer asks again with the same key."""
        key = sorted(self._answers)[index % len(self._answers)]
        shelf, title, _ = self._answers[key]
        await self.add_with_key(shelf, title, key)

    async def add_at_once(self, shelf: str, titles: tuple[str, str]) -> None:
        """Two writers who both read the same version: both are recorded, in some order."""
        asked = [self._house.store.handle(item(shelf, title, said_to_be_new=True), context()) for title in titles]
        events = [event for handled in await asyncio.gather(*asked) for event in _events(handled)]
        before = len(self._model.streams[shelf])
        for event in sorted(events, key=lambda event: event.version):
            self._model.committed(shelf, getattr(event.event, "title", "audit"))
        versions = sorted(event.version for event in events)
        assert versions == list(range(before + 1, len(self._model.streams[shelf]) + 1))
        assert set(titles) <= set(self._model.streams[shelf]), "none is lost"

    async def die_before_commit(self, shelf: str, title: str) -> None:
        async with await self._house.connect() as conn:
            await conn.execute("BEGIN")
            await self._house.store.decide(conn, [item(shelf, title)], context())
            conn.pgconn.finish()

    async def open_slowly(self, title: str) -> None:
        """A transaction that holds a low position while others commit higher ones; on a shelf that nobody else uses."""
        self._slow_shelves += 1
        shelf = f"s{self._slow_shelves}"
        conn = await self._house.connect()
        await conn.execute("BEGIN")
        await self._house.store.decide(conn, [item(shelf, title)], context())
        self._slow = (conn, shelf, title)

    async def end_slowly(self, *, commit: bool) -> None:
        if self._slow is None:
            return
        (conn, shelf, title), self._slow = self._slow, None
        async with conn:
            await conn.execute("COMMIT" if commit else "ROLLBACK")
        if commit:
            self._model.committed(shelf, title)


def _events(handled: Handled) -> list[Recorded]:
    return [event for outcome in handled.outcomes for event in outcome.events]
