"""Every private event has a public form that its schema takes, and survives storage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.bootstrap import DEFINITION
from billing.entitlement.domain import EntitlementGranted
from billing.money import Money
from billing.order.domain.order import OrderPaid, OrderPlaced, Terms
from billing.order.domain.purchase import PurchaseHeld
from billing.payment.domain import Intent, PaymentCaptured, PaymentFailed, PaymentInitiated
from billing.pricing.domain.product import ProductPriced
from billing.pricing.domain.promotion import PromotionScheduled
from contracts.avro import AvroCodec
from contracts.events.billing import TOPICS
from eventfold import Recorded
from eventfold.vocabulary.public import topic_of

AT = datetime(1997, 1, 1, tzinfo=UTC)
CNY = Money(100, "CNY")
TERMS = Terms("o", "m", "c", "p", CNY, Money(0, "CNY"), CNY, "spring", 1000)
INTENT = Intent("x", "o", "m", "simulator", CNY)
EVENTS: list[tuple[Any, str | None]] = [
    (ProductPriced("p", "c", "t", "fixed", CNY, None), "priced_at"),
    (ProductPriced("p", "c", "t", "open_amount", CNY, CNY), "priced_at"),
    (PromotionScheduled("s", "c", "n", CNY, None, AT, AT, ("p",)), None),
    (PromotionScheduled("s", "c", "n", None, 100, AT, AT, ("p", "q")), None),
    (OrderPlaced(TERMS), "placed_at"),
    (OrderPaid(TERMS, "simulator", "x"), "paid_at"),
    (OrderPaid(TERMS, "imported", None), "paid_at"),
    (PaymentInitiated(INTENT, "n"), "initiated_at"),
    (PaymentCaptured(INTENT, "n", "ref"), "captured_at"),
    (PaymentFailed(INTENT, "n", "why"), "failed_at"),
    (EntitlementGranted("e", "m", "p", "purchase", "o"), "granted_at"),
]

OWN = [PurchaseHeld("o")]
"""Nobody else is told of these."""


def recorded(event: Any) -> Recorded:
    return Recorded("stream-1", 1, event, DEFINITION.codec.types[type(event)][0], "1", AT, datetime.now(UTC))


@pytest.mark.parametrize(("event", "moment"), EVENTS)
def test_the_public_form_fits_its_schema_and_carries_the_business_time(event: Any, moment: str | None) -> None:
    public = DEFINITION.to_public(recorded(event))
    assert public is not None and topic_of(public.type) in TOPICS
    avro = AvroCodec()
    decoded = avro.decode(avro.encode(public.type, public.data))
    assert decoded == dict(public.data)
    assert moment is None or decoded[moment] == AT


@pytest.mark.parametrize("event", OWN)
def test_what_is_our_own_is_not_published(event: Any) -> None:
    assert DEFINITION.to_public(recorded(event)) is None


@pytest.mark.parametrize("event", [*[event for event, _ in EVENTS], *OWN])
def test_a_stored_event_comes_back_as_it_was(event: Any) -> None:
    assert DEFINITION.codec.decode(*DEFINITION.codec.encode(event)) == event


def test_every_stored_type_is_tried_here() -> None:
    assert {type(event) for event in [*[event for event, _ in EVENTS], *OWN]} == set(DEFINITION.codec.types)
