"""Making a release: look at the data, draw, and record payment and answer in one transaction, or neither."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

from eventfold import Ask, Context, EventStore, Item
from eventfold.errors import Contention, DeadlineExceeded, InvalidInput, UnexpectedVersion
from metrics.release.asking import numbers_of
from metrics.release.domain.budget import LEDGER, UNIT, Ledger, Spend
from metrics.release.domain.drawing import Wanted, drawn_of
from metrics.release.domain.loss import Accounting
from metrics.release.domain.mechanism import Mechanism, is_drawable
from metrics.release.domain.questions import key_of, position_of
from metrics.release.domain.release import RELEASES, Drawn, ReleaseMade, Releases
from metrics.release.orders import Answer, Look, Noise, Order, Tables

MAX_TRIES: Final = 5
"""How often a release is begun again because another of the same question was recorded meanwhile."""


class Releasing:
    """Answers orders."""

    def __init__(self, store: EventStore, tables: Tables, noise: Noise) -> None:
        self._store = store
        self._tables = tables
        self._noise = noise
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def release(self, order: Order, context: Context, deadline_s: Callable[[], float]) -> Answer:
        """The release at the present position of the data, from the record or newly made. `deadline_s` returns how long
        the caller still waits. Raises `InvalidInput`, `BudgetExceeded`, `DeadlineExceeded`, `PeerUnavailable`; nothing
        is recorded then.

        Callers of one question wait for each other, so that one of them pays and the others find its answer.
        """
        turn = self._turns.setdefault(order.stream_id, asyncio.Lock())  # there as long as somebody holds or awaits it
        try:
            async with asyncio.timeout(deadline_s()) as limit, turn:
                limit.reschedule(None)
                return await self._release(order, context, deadline_s)
        except TimeoutError as timeout:
            if not limit.expired():
                raise
            raise DeadlineExceeded("the same question of another caller") from timeout

    async def _release(self, order: Order, context: Context, deadline_s: Callable[[], float]) -> Answer:
        for _ in range(MAX_TRIES):
            known: Releases = await self._store.current(RELEASES.at(order.stream_id))
            position = position_of(await self._tables.sources(order.question))
            if found := known.at(position) or (known.last if order.accepts_earlier else None):
                return await self._free(order, found, is_earlier=found.position != position)
            try:
                return await self._pay(order, known, context, deadline_s)
            except UnexpectedVersion:
                continue  # another process released the same question: its answer may be the one wanted
        raise Contention((RELEASES.stream(order.stream_id),), MAX_TRIES)

    async def _free(self, order: Order, made: ReleaseMade, *, is_earlier: bool) -> Answer:
        return Answer(made, False, is_earlier, (await self._ledger(order)).left(order.grant))

    async def _pay(self, order: Order, known: Releases, context: Context, deadline_s: Callable[[], float]) -> Answer:
        release_id = f"{key_of(order.text)}.{known.version + 1}"
        spend = Spend(release_id, order.accounting, order.loss, order.is_open, order.grant)
        LEDGER.decider.decide(spend, await self._ledger(order))  # before anything is read or drawn for a refusal
        looked = await self._tables.look(order.question)
        if found := known.at(position_of(looked.sources)):
            return await self._free(order, found, is_earlier=False)
        wanted = checked(order.question.wanted(order.accounting, order.loss, looked.sums), order.accounting)
        drawn = drawn_of(wanted, await self._noise.draw(numbers_of(wanted), deadline_s()))
        made = _made(order, release_id, looked, drawn, wanted[0].selection, context.now)
        return await self._record(order, spend, made, known.version, context)

    async def _record(self, order: Order, spend: Spend, made: ReleaseMade, version: int, context: Context) -> Answer:
        """Payment and release, both or none: one item of one transaction."""
        pays = Ask(LEDGER, order.ledger, spend)
        releases = Ask(RELEASES, order.stream_id, made, expected=version)
        handled = await self._store.handle(Item((pays, releases)), context)
        ledger = await self._ledger(order)
        return Answer(made, True, False, ledger.left(order.grant), handled.position)

    async def _ledger(self, order: Order) -> Ledger:
        found: Ledger = await self._store.current(LEDGER.at(order.ledger))
        return found


def _made(
    order: Order, release_id: str, looked: Look, drawn: Sequence[Drawn], selection: Mechanism | None, now: datetime
) -> ReleaseMade:
    """The release of what was drawn, without what too few members stand behind."""
    kept = order.question.kept(drawn)
    return ReleaseMade(
        release_id=release_id,
        owner=order.owner,
        period=order.period,
        question=order.text,
        position=position_of(looked.sources),
        sources=looked.sources,
        accounting=order.accounting,
        loss=order.loss,
        is_open=order.is_open,
        is_suppressed=not kept,
        drawn=kept,
        selection=selection,
        public=dict(looked.sums.public) if kept else {},
        made_at=now,
    )


def checked(wanted: Sequence[Wanted], accounting: Accounting) -> Sequence[Wanted]:
    """The same. Raises `InvalidInput` if the loss is too small or too large for the bounds of one of its numbers."""
    if not all(is_drawable(one.mechanism) for one in wanted):
        raise InvalidInput("is too small or too large for these figures", field=UNIT[accounting])
    return wanted
