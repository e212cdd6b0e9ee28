"""Making a release: look at the data, draw, and record payment and answer in one transaction, or neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from eventfold import Ask, Context, EventStore, Item
from eventfold.errors import Contention, InvalidInput, UnexpectedVersion
from metrics.release.asking import numbers_of
from metrics.release.domain.budget import LEDGER, UNIT, Grant, Ledger, Spend, ledger_id
from metrics.release.domain.drawing import Sums, Wanted, drawn_of
from metrics.release.domain.loss import Accounting, Loss
from metrics.release.domain.mechanism import is_drawable
from metrics.release.domain.questions import Question, key_of, normalised, position_of
from metrics.release.domain.release import RELEASES, ReleaseMade, Releases, Source, release_stream_id
from metrics.release.noise.frames import Noisy, Numbers

MAX_TRIES: Final = 5
"""How often a release is begun again because another of the same question was recorded meanwhile."""


class Look(Protocol):
    """The numbers of a question and where the data stood, in one snapshot."""

    @property
    def sums(self) -> Sums:
        """The exact numbers, bounded."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """How far the projections had read."""


class Tables(Protocol):
    """Reads the data."""

    async def sources(self, question: Question) -> tuple[Source, ...]:
        """Where the data stands now."""

    async def look(self, question: Question) -> Look:
        """The numbers as well."""


class Noise(Protocol):
    """Draws noise within a time. Raises `DeadlineExceeded` and `PeerUnavailable`."""

    async def draw(self, asked: Sequence[Numbers], deadline_s: float) -> list[Noisy]:
        """The numbers with noise."""


@dataclass(frozen=True, slots=True)
class Order:
    """A question with what its answer may cost and who pays. `period` and `grant` are those of the owner's ledger now.
    `is_open`: the caller does not answer for the budget. `accepts_earlier`: an answer from earlier data will do."""

    question: Question
    accounting: Accounting
    loss: Loss
    period: str
    grant: Grant
    is_open: bool
    accepts_earlier: bool

    @property
    def owner(self) -> str:
        """Whose ledger pays."""
        return self.question.owner

    @property
    def text(self) -> str:
        """The normalised question."""
        return normalised(self.question, self.accounting, self.loss)

    @property
    def stream_id(self) -> str:
        """Where its releases are recorded."""
        return release_stream_id(self.owner, key_of(self.text))

    @property
    def ledger(self) -> str:
        """Where it is paid."""
        return ledger_id(self.owner, self.period)


@dataclass(frozen=True, slots=True)
class Answer:
    """A release. `is_paid`: this call paid for it, recorded at the insert `position`. `is_earlier`: the data has moved
    since it was made. `left`: of the grant of the present period."""

    made: ReleaseMade
    is_paid: bool
    is_earlier: bool
    left: Loss
    position: int | None = None


class Releasing:
    """Answers orders."""

    def __init__(self, store: EventStore, tables: Tables, noise: Noise) -> None:
        self._store = store
        self._tables = tables
        self._noise = noise

    async def release(self, order: Order, context: Context, deadline_s: Callable[[], float]) -> Answer:
        """The release at the present position of the data, from the record or newly made. `deadline_s` returns how long
        the caller still waits. Raises `InvalidInput`, `BudgetExceeded`, `DeadlineExceeded`, `PeerUnavailable`; nothing
        is recorded then."""
        for _ in range(MAX_TRIES):
            known: Releases = await self._store.current(RELEASES.at(order.stream_id))
            position = position_of(await self._tables.sources(order.question))
            if found := known.at(position) or (known.last if order.accepts_earlier else None):
                return await self._free(order, found, is_earlier=found.position != position)
            try:
                return await self._pay(order, known, context, deadline_s)
            except UnexpectedVersion:
                continue  # another call released the same question: its answer may be the one wanted
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
        kept = order.question.kept(drawn)
        made = ReleaseMade(
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
            selection=wanted[0].selection,
            public=dict(looked.sums.public) if kept else {},
            made_at=context.now,
        )
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


def checked(wanted: Sequence[Wanted], accounting: Accounting) -> Sequence[Wanted]:
    """The same. Raises `InvalidInput` if the loss is too small or too large for the bounds of one of its numbers."""
    if not all(is_drawable(one.mechanism) for one in wanted):
        raise InvalidInput("is too small or too large for these figures", field=UNIT[accounting])
    return wanted
