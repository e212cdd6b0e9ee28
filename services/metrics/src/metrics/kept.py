"""Answers that are kept until the data behind them changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from metrics.reading import Source

Answer = TypeVar("Answer")
Reached = tuple[Hashable, ...]
"""How far each projection has come; empty if nothing was folded yet."""


def reached(sources: Sequence[Source]) -> Reached:
    """How far projections have come, to compare with. A rebuild leaves the numbers and changes the times."""
    return tuple((one.projection, one.topic, one.partition, one.seq, one.applied_at) for one in sources)


class Kept(Generic[Answer]):
    """The last `most` answers, each with the data position that it was computed from. Callers of one question wait for
    each other, so that one computation serves all of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[Hashable, tuple[Reached, Answer]] = OrderedDict()
        self._turns: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def get(self, question: Hashable, position: Reached, compute: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer at this position. It is computed unless it is kept, and always where nothing was folded yet."""
        turn = self._turns.setdefault(question, asyncio.Lock())  # there as long as somebody holds or awaits it
        async with turn:
            return await self._get(question, position, compute)

    async def _get(self, question: Hashable, position: Reached, compute: Callable[[], Awaitable[Answer]]) -> Answer:
        known = self._answers.get(question)
        if known is None or not position or known[0] != position:
            self._answers[question] = known = position, await compute()
        self._answers.move_to_end(question)
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)
        return known[1]
