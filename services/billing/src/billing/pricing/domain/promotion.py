"""Limited-time promotions: a reduction on named products between two moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from billing.money import BPS_WHOLE, Money
from eventfold import Decider, Stored, StreamType
from eventfold.errors import AlreadyExists, InvalidInput

MAX_PRODUCTS = 500


@dataclass(frozen=True, slots=True)
class SchedulePromotion:
    """Announce a promotion. Exactly one of `amount_off` and `percent_off_bps` is set; `ends_at` is not included."""

    promotion_id: str
    creator_id: str
    name: str
    amount_off: Money | None
    percent_off_bps: int | None
    starts_at: datetime
    ends_at: datetime
    product_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PromotionScheduled:
    """A promotion was announced."""

    promotion_id: str
    creator_id: str
    name: str
    amount_off: Money | None
    percent_off_bps: int | None
    starts_at: datetime
    ends_at: datetime
    product_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion as it stands; None in `scheduled` while there is none of that id."""

    scheduled: PromotionScheduled | None = None


def decide(command: SchedulePromotion, state: Promotion) -> Sequence[PromotionScheduled]:
    """Raises `InvalidInput` for terms that make no sense, `AlreadyExists` when the id stands for other terms."""
    event = PromotionScheduled(
        promotion_id=command.promotion_id,
        creator_id=command.creator_id,
        name=command.name,
        amount_off=command.amount_off,
        percent_off_bps=command.percent_off_bps,
        starts_at=command.starts_at,
        ends_at=command.ends_at,
        product_ids=command.product_ids,
    )
    if state.scheduled == event:
        return []
    if state.scheduled:
        raise AlreadyExists("a promotion of this id has other terms", field="promotion_id")
    _check_reduction(command)
    if command.ends_at <= command.starts_at:
        raise InvalidInput("must be after starts_at", field="ends_at")
    if not 1 <= len(command.product_ids) <= MAX_PRODUCTS:
        raise InvalidInput(f"must name 1 to {MAX_PRODUCTS} products", field="product_ids")
    if len(set(command.product_ids)) != len(command.product_ids):
        raise InvalidInput("must not name a product twice", field="product_ids")
    return [event]


def _check_reduction(command: SchedulePromotion) -> None:
    if (command.amount_off is None) == (command.percent_off_bps is None):
        raise InvalidInput("exactly one of amount_off and percent_off_bps must be set", field="reduction")
    if command.amount_off is not None and command.amount_off.amount_minor <= 0:
        raise InvalidInput("must be positive", field="amount_off.amount_minor")
    if command.percent_off_bps is not None and not 1 <= command.percent_off_bps <= BPS_WHOLE:
        raise InvalidInput(f"must be from 1 to {BPS_WHOLE}", field="percent_off_bps")


def evolve(_: Promotion, event: PromotionScheduled) -> Promotion:
    """A promotion keeps its terms."""
    return Promotion(event)


PROMOTION = StreamType("promotion", Decider(Promotion(), decide, evolve))

EVENTS: Final[Stored] = {PromotionScheduled: ("promotion.scheduled", 1)}
