"""From a price over a quote to an order, an entitlement and the ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest
from billing_house import NOW, BillingHouse, money, stamp

from billing.order.domain.order import QuoteExpired
from billing.pricing.domain.quote import ForgedQuote
from eventfold.errors import IdempotencyMismatch, NotFound, NotPermitted, WrongState
from lyceum.billing.v1 import billing_pb2 as pb


async def test_from_a_price_to_an_entitlement_and_a_balanced_ledger(house: BillingHouse) -> None:
    await house.priced()
    schedule = pb.SchedulePromotionRequest(
        promotion_id="spring",
        name="春季",
        percent_off_bps=2500,
        starts_at=stamp(NOW - timedelta(days=1)),
        ends_at=stamp(NOW + timedelta(days=1)),
        product_ids=["p1"],
    )
    await house.rpc.SchedulePromotion(schedule, None)
    house.enter_as("m1")
    placed = await house.placed(promotion_id="spring")
    started = await house.started(placed.order_id)
    assert (placed.status, started.pay_url) == ("placed", f"pay/{started.merchant_number}")
    house.enter_as("")
    assert await house.called_back(started.merchant_number) == "SUCCESS"
    await house.settle()
    house.enter_as("m1")
    order = (await house.rpc.GetOrder(pb.GetOrderRequest(order_id=placed.order_id), None)).order
    assert (order.status, order.list, order.discount, order.charged) == ("paid", money(1000), money(250), money(750))
    [entitlement] = (await house.rpc.ListEntitlements(pb.ListEntitlementsRequest(), None)).entitlements
    assert (entitlement.product_id, entitlement.source) == ("p1", "purchase")
    assert await house.balances() == {
        "provider_clearing:simulator": 750,
        "creator_payable:c1": -675,
        "platform_revenue": -75,
        "promotion_discounts": 250,
        "list_price_contra": -250,
    }


async def test_everything_repeated_changes_nothing(house: BillingHouse) -> None:
    await house.priced()
    house.enter_as("m1")
    quote = await house.quoted()
    first = await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    started = await house.started(first.order_id)
    await house.called_back(started.merchant_number)
    before = await house.count("SELECT count(*) FROM events")
    house.enter_as("m1", now=NOW + timedelta(hours=1))
    again = await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    assert (again.order_id, again.consistency_token) == (first.order_id, "")
    assert [await house.called_back(started.merchant_number) for _ in range(3)] == ["SUCCESS"] * 3
    await house.priced()
    assert await house.count("SELECT count(*) FROM events") == before


async def test_an_idempotency_key_answers_with_the_same_ids_and_refuses_another_input(house: BillingHouse) -> None:
    await house.priced()
    house.enter_as("m1", idempotency_key="k1")
    quote, other = await house.quoted(), await house.quoted()
    first = await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    again = await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    assert again == first
    with pytest.raises(IdempotencyMismatch):
        await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=other), None)


async def test_a_quote_cannot_be_altered_taken_over_or_used_too_late(house: BillingHouse) -> None:
    await house.priced()
    house.enter_as("m1")
    quote = await house.quoted()
    cheaper = pb.Quote()
    cheaper.CopyFrom(quote)
    cheaper.charged.amount_minor = 1
    with pytest.raises(ForgedQuote):
        await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=cheaper), None)
    house.enter_as("m2")
    with pytest.raises(NotPermitted):
        await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    house.enter_as("m1", now=NOW + timedelta(minutes=15))
    with pytest.raises(QuoteExpired):
        await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)


async def test_a_free_order_needs_no_payment(house: BillingHouse) -> None:
    await house.priced(amount_minor=0)
    house.enter_as("m1")
    placed = await house.placed()
    assert placed.status == "paid"
    with pytest.raises(WrongState):
        await house.started(placed.order_id)
    await house.settle()
    assert len((await house.rpc.ListEntitlements(pb.ListEntitlementsRequest(), None)).entitlements) == 1
    assert await house.balances() == {}


async def test_orders_of_others_are_not_to_be_seen_or_paid(house: BillingHouse) -> None:
    await house.priced()
    house.enter_as("m1")
    order_id = (await house.placed()).order_id
    await house.settle()
    house.enter_as("m2")
    with pytest.raises(NotFound):
        await house.started(order_id)
    with pytest.raises(NotFound):
        await house.rpc.GetOrder(pb.GetOrderRequest(order_id=order_id), None)
    for forbidden in (
        house.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(), None),
        house.rpc.ListPostings(pb.ListPostingsRequest(), None),
        house.rpc.ImportOrders(pb.ImportOrdersRequest(), None),
        house.rpc.PriceProduct(pb.PriceProductRequest(product_id="p1"), None),
    ):
        with pytest.raises(NotPermitted):
            await forbidden


async def test_content_is_sold_by_who_published_it(house: BillingHouse) -> None:
    await house.published("content-1", "c9")
    with pytest.raises(NotPermitted):
        await house.priced("content-1")
    request = pb.PriceProductRequest(product_id="content-1", title="t", pricing="fixed", price=money(5))
    house.enter_as("i", "importer")
    await house.rpc.PriceProduct(request, None)
    await house.settle()
    house.enter_as("")
    answer = await house.rpc.GetProduct(pb.GetProductRequest(product_id="content-1"), None)
    assert (answer.creator_id, answer.price) == ("c9", money(5))
    house.enter_as("i", "importer")
    with pytest.raises(NotFound):
        await house.rpc.PriceProduct(pb.PriceProductRequest(product_id="nobody's"), None)
