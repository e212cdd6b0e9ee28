"""Orders: one for each quote, paid once, imported once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.entitlement.domain import ENTITLEMENT, Entitlement, GrantEntitlement
from billing.money import Money
from billing.order.domain.order import (
    ORDER,
    ImportOrder,
    MarkPaid,
    Order,
    OrderEvent,
    OrderPaid,
    OrderPlaced,
    PlaceOrder,
    QuoteExpired,
    order_id_of,
    terms_of,
)
from billing.pricing.domain import quote as quotes
from billing.pricing.domain.quote import Quote
from eventfold.errors import AlreadyExists, NotFound

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUOTE = Quote("q1", "m1", "p1", "c1", quotes.priced(1000, 100, "CNY"), "spring", NOW + timedelta(minutes=15))
TERMS = terms_of(order_id_of("q1"), QUOTE, 1000)
PLACE = PlaceOrder(TERMS, QUOTE.expires_at, NOW)
PAY = MarkPaid(TERMS.order_id, "pay1", "simulator")


def given(*events: OrderEvent) -> Order:
    return ORDER.decider.fold(events)


def when(command: PlaceOrder | ImportOrder | MarkPaid, state: Order) -> Sequence[OrderEvent]:
    return ORDER.decider.decide(command, state)


def test_a_quote_makes_an_order_of_its_own_terms() -> None:
    assert when(PLACE, given()) == [OrderPlaced(TERMS)]
    assert (TERMS.list_price, TERMS.discount, TERMS.charged) == (
        Money(1000, "CNY"),
        Money(100, "CNY"),
        Money(900, "CNY"),
    )


def test_placing_again_records_nothing_even_after_the_quote_has_expired() -> None:
    assert when(replace(PLACE, now=NOW + timedelta(days=9)), given(OrderPlaced(TERMS))) == []


@pytest.mark.parametrize("late", [timedelta(minutes=15), timedelta(days=1)])
def test_an_expired_quote_makes_no_order(late: timedelta) -> None:
    with pytest.raises(QuoteExpired):
        when(replace(PLACE, now=NOW + late), given())


def test_a_free_order_is_paid_at_once() -> None:
    free = replace(TERMS, discount=Money(1000, "CNY"), charged=Money(0, "CNY"))
    assert when(replace(PLACE, terms=free), given()) == [OrderPlaced(free), OrderPaid(free, "free", None)]


def test_an_order_is_paid_once() -> None:
    assert when(PAY, given(OrderPlaced(TERMS))) == [OrderPaid(TERMS, "simulator", "pay1")]
    paid = given(OrderPlaced(TERMS), OrderPaid(TERMS, "simulator", "pay1"))
    assert when(PAY, paid) == []
    assert when(replace(PAY, payment_id="pay2"), paid) == []


def test_an_order_that_is_not_there_cannot_be_paid() -> None:
    with pytest.raises(NotFound):
        when(PAY, given())


def test_an_import_is_placed_and_paid_elsewhere() -> None:
    assert when(ImportOrder(TERMS), given()) == [OrderPlaced(TERMS), OrderPaid(TERMS, "imported", None)]


def test_an_import_repeated_records_nothing_whatever_the_fee_is_by_then() -> None:
    done = given(*when(ImportOrder(TERMS), given()))
    assert when(ImportOrder(TERMS), done) == []
    assert when(ImportOrder(replace(TERMS, platform_fee_bps=2000)), done) == []


def test_an_external_id_stands_for_one_order() -> None:
    done = given(*when(ImportOrder(TERMS), given()))
    with pytest.raises(AlreadyExists) as refused:
        when(ImportOrder(replace(TERMS, charged=Money(1, "CNY"))), done)
    assert refused.value.field == "external_id"


def test_an_entitlement_is_granted_once() -> None:
    grant = GrantEntitlement("e1", "m1", "p1", "purchase", "o1")
    events = ENTITLEMENT.decider.decide(grant, Entitlement())
    assert len(events) == 1
    assert ENTITLEMENT.decider.decide(grant, ENTITLEMENT.decider.fold(events)) == []
