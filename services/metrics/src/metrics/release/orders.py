"""What the making of a release is asked for, what it needs, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from metrics.release.domain.budget import Grant, ledger_id
from metrics.release.domain.drawing import Sums
from metrics.release.domain.loss import Accounting, Loss
from metrics.release.domain.questions import Question, key_of, normalised
from metrics.release.domain.release import ReleaseMade, Source, release_stream_id
from metrics.release.noise.frames import Noisy, Numbers


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
