"""The ledger of one data owner and one period: what was granted, and what each release cost. It is only ever added
to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from eventfold import Decider, Stored, StreamType
from eventfold.errors import Exhausted, InvalidInput
from metrics.release.domain.loss import NOTHING, Accounting, Loss

PLATFORM: Final = "platform"
"""The owner of what is released about all members; every other owner is a creator's id."""
UNIT: Final[dict[Accounting, str]] = {"pure": "epsilon", "zcdp": "rho"}
"""What adds up under each accounting, and the name of the field that gives it."""


class BudgetExceeded(Exhausted):
    """The release would cost more than is left. Nothing was recorded, and what was drawn for it is thrown away."""

    code = "BUDGET_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Grant:
    """What may be lost in a period, and how losses add up. `open_percent` of it may be spent for callers who do not
    answer for the budget."""

    accounting: Accounting
    loss: Loss
    open_percent: int

    @property
    def open_nano(self) -> int:
        """The open part, in billionths."""
        return self.loss.nano * self.open_percent // 100


@dataclass(frozen=True, slots=True)
class Spend:
    """Pay `loss` for a release. The first payment of a period also records what is granted in it: `grant`, and from
    then on that holds. `is_open`: for a caller who does not answer for the budget."""

    release_id: str
    accounting: Accounting
    loss: Loss
    is_open: bool
    grant: Grant


@dataclass(frozen=True, slots=True)
class BudgetGranted:
    """So much may be lost in the period."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class BudgetSpent:
    """A release was paid for."""

    release_id: str
    loss: Loss
    is_open: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was granted (None before the first payment) and spent; `open_nano` is the part spent for open callers."""

    grant: Grant | None = None
    spent: Loss = NOTHING
    open_nano: int = 0
    releases: int = 0

    def left(self, grant: Grant) -> Loss:
        """What is left of the grant; of `grant` if there was no payment yet."""
        return (self.grant or grant).loss - self.spent

    def open_nano_left(self, grant: Grant) -> int:
        """The most that an open caller could still spend, in billionths."""
        held = self.grant or grant
        return min(held.open_nano - self.open_nano, self.left(held).nano)


LedgerEvent = BudgetGranted | BudgetSpent


def decide(command: Spend, state: Ledger) -> Sequence[LedgerEvent]:
    """Grant, if that was not done, and spend. Raises `InvalidInput` for a loss that is none or of another accounting,
    and `BudgetExceeded`."""
    grant = state.grant or command.grant
    unit = UNIT[grant.accounting]
    if command.accounting != grant.accounting:
        raise InvalidInput(f"this period is accounted in {unit}: give that instead", field=UNIT[command.accounting])
    if command.loss.nano <= 0 or command.loss.delta_femto < 0:
        raise InvalidInput("must be above 0", field=unit)
    afford(command, state)
    spent = BudgetSpent(command.release_id, command.loss, command.is_open)
    return [spent] if state.grant else [BudgetGranted(grant), spent]


def afford(command: Spend, state: Ledger) -> None:
    """Raise `BudgetExceeded`, which names what is left, unless the ledger can pay."""
    left = state.left(command.grant)
    unit = UNIT[(state.grant or command.grant).accounting]
    open_left = state.open_nano_left(command.grant)
    if not command.loss.within(left):
        raise BudgetExceeded(
            f"the release costs {_told(command.loss, unit)}, and {_told(left, unit)} are left of this period's budget",
            left=f"{left.amount:.9g}",
            left_delta=f"{left.delta:.3g}",
        )
    if command.is_open and command.loss.nano > open_left:
        raise BudgetExceeded(
            f"the release costs {_told(command.loss, unit)}, and of what all members may spend of this period's budget "
            f"{_told(Loss(open_left), unit)} are left",
            left=f"{Loss(open_left).amount:.9g}",
        )


def _told(loss: Loss, unit: str) -> str:
    delta = f" and delta {loss.delta:.3g}" if loss.delta_femto else ""
    return f"{unit} {loss.amount:.9g}{delta}"


def evolve(state: Ledger, event: LedgerEvent) -> Ledger:
    """State after one event."""
    match event:
        case BudgetGranted(grant):
            return replace(state, grant=grant)
        case BudgetSpent(_, loss, is_open):
            return replace(
                state,
                spent=state.spent + loss,
                open_nano=state.open_nano + (loss.nano if is_open else 0),
                releases=state.releases + 1,
            )
        case _:
            assert_never(event)


def ledger_id(owner: str, period: str) -> str:
    """The stream id of an owner's ledger of a period."""
    return f"{owner}/{period}"


def owner_of(stream_id: str) -> str:
    """The owner in a stream id: all events about an owner's data share a partition."""
    return stream_id.split("/", 1)[0]


def rest_of(stream_id: str) -> str:
    """What follows the owner in a stream id."""
    return stream_id.split("/", 1)[1]


LEDGER: Final[StreamType[Spend, Ledger, LedgerEvent]] = StreamType(
    "release_budget", Decider(Ledger(), decide, evolve), partition_key=owner_of, hot=True
)
"""Hot: at the start of a period many pay at once, and each has to see what the others left."""

EVENTS: Final[Stored] = {
    BudgetGranted: ("release_budget.granted", 1),
    BudgetSpent: ("release_budget.spent", 1),
}
