"""Content is sold by its creator alone, to each member once, and never to its creator."""

from __future__ import annotations

import pytest
from billing_house import BillingHouse, batch, imported, money

from billing.order.domain.purchase import AlreadyBought, BeingBought
from billing.pricing.domain.product import ContentIsFree
from billing.pricing.domain.quote import OwnProduct
from contracts.external_ids import imported_id
from eventfold.errors import InvalidInput, NotFound, NotPermitted
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.common.v1 import common_pb2

CONTENT = imported_id("content", "old", "1")


async def sold(house: BillingHouse) -> None:
    """Given content of c1 that costs 1,000."""
    await house.published(CONTENT)
    await house.priced(CONTENT)


async def paid(house: BillingHouse, order_id: str) -> None:
    await house.called_back((await house.started(order_id)).merchant_number)


@pytest.mark.parametrize("spelt", [CONTENT, CONTENT.upper(), CONTENT.replace("-", ""), f"{{{CONTENT}}}"])
async def test_nobody_prices_an_id_that_an_import_will_give_to_content(house: BillingHouse, spelt: str) -> None:
    house.enter_as("thief", "creator")
    request = pb.PriceProductRequest(product_id=spelt, title="t", pricing="fixed", price=money(1))
    with pytest.raises(NotFound):
        await house.rpc.PriceProduct(request, None)


async def test_what_was_priced_before_by_another_is_neither_sold_nor_credited_to_them(house: BillingHouse) -> None:
    await house.published(CONTENT, "thief")
    house.enter_as("thief", "creator")
    request = pb.PriceProductRequest(product_id=CONTENT, title="t", pricing="fixed", price=money(1))
    await house.rpc.PriceProduct(request, None)
    async with house.pool.connection() as conn:
        await conn.execute("UPDATE content_owner SET creator_id = 'c1'")
    house.enter_as("m1")
    with pytest.raises(NotFound):
        await house.quoted(product_id=CONTENT)
    assert await imported(house, {"external_id": "1", "product_id": CONTENT}) == [("created", "")]
    await house.settle()
    assert "creator_payable:c1" in await house.balances()
    await house.priced(CONTENT)
    house.enter_as("m1")
    assert (await house.quoted(product_id=CONTENT)).creator_id == "c1"


async def test_free_content_has_no_price(house: BillingHouse) -> None:
    await house.published(CONTENT, access="free")
    with pytest.raises(ContentIsFree):
        await house.priced(CONTENT)


async def test_nobody_buys_from_themselves(house: BillingHouse) -> None:
    await sold(house)
    await house.priced("p1")
    house.enter_as("c1", "creator")
    for product_id in (CONTENT, "p1"):
        with pytest.raises(OwnProduct):
            await house.quoted(product_id=product_id)


async def test_a_price_that_is_not_said_is_not_zero(house: BillingHouse) -> None:
    house.enter_as("c1", "creator")
    for price in (common_pb2.Money(currency="CNY"), None):
        request = pb.PriceProductRequest(product_id="p1", title="t", pricing="fixed", price=price)
        with pytest.raises(InvalidInput) as refused:
            await house.rpc.PriceProduct(request, None)
        assert refused.value.field == "price.amount_minor"


async def test_content_is_bought_once_and_other_products_again(house: BillingHouse) -> None:
    await sold(house)
    await house.priced("p1")
    house.enter_as("m1")
    first, second = [(await house.placed(product_id=CONTENT)).order_id for _ in range(2)]
    await paid(house, first)
    with pytest.raises(AlreadyBought):
        await house.started(second)
    with pytest.raises(AlreadyBought):
        await house.placed(product_id=CONTENT)
    for _ in range(2):
        await paid(house, (await house.placed()).order_id)
    house.enter_as("m2")
    await paid(house, (await house.placed(product_id=CONTENT)).order_id)


async def test_of_two_orders_of_one_content_one_is_paid_at_a_time(house: BillingHouse) -> None:
    await sold(house)
    house.enter_as("m1")
    first, second = [(await house.placed(product_id=CONTENT)).order_id for _ in range(2)]
    begun = await house.started(first)
    with pytest.raises(BeingBought):
        await house.started(second)
    await house.called_back(begun.merchant_number, status="failed")
    await paid(house, second)
    with pytest.raises(AlreadyBought):
        await house.started(first)


async def test_free_orders_and_imported_ones_count_as_bought(house: BillingHouse) -> None:
    await house.published(CONTENT)
    await house.priced(CONTENT, 0)
    house.enter_as("m1")
    assert (await house.placed(product_id=CONTENT)).status == "paid"
    with pytest.raises(AlreadyBought):
        await house.placed(product_id=CONTENT)
    assert await imported(house, {"external_id": "1", "product_id": CONTENT}) == [("created", "")]
    house.enter_as(imported_id("member", "old", "7"))
    with pytest.raises(AlreadyBought):
        await house.placed(product_id=CONTENT)


async def test_a_quote_that_is_sent_again_tells_how_its_order_stands_now(house: BillingHouse) -> None:
    await sold(house)
    house.enter_as("m1")
    request = pb.PlaceOrderRequest(quote=await house.quoted(product_id=CONTENT))
    first = await house.rpc.PlaceOrder(request, None)
    await paid(house, first.order_id)
    again = await house.rpc.PlaceOrder(request, None)
    assert (first.status, again.status, again.order_id) == ("placed", "paid", first.order_id)


async def test_a_promotion_names_no_product_of_another(house: BillingHouse) -> None:
    await sold(house)
    await house.priced("p1")
    house.enter_as("c2", "creator")
    for product_id in (CONTENT, "p1"):
        request = pb.SchedulePromotionRequest(promotion_id="s", name="n", product_ids=["own", product_id])
        request.percent_off_bps = 100
        request.starts_at.FromSeconds(1)
        request.ends_at.FromSeconds(2)
        with pytest.raises(NotPermitted):
            await house.rpc.SchedulePromotion(request, None)


@pytest.mark.parametrize("odd", ["a/b", "a:b", "..", "a b", "a%2Fb", "a?b", "a#b", "a\tb", "", "x" * 201])
async def test_an_id_that_no_path_could_name_is_refused(house: BillingHouse, odd: str) -> None:
    house.enter_as("c1", "creator")
    request = pb.PriceProductRequest(product_id=odd, title="t", pricing="fixed", price=money(1))
    with pytest.raises(InvalidInput) as refused:
        await house.rpc.PriceProduct(request, None)
    assert refused.value.field == "product_id"


async def test_members_are_known_by_identitys_word_alone(house: BillingHouse) -> None:
    await house.priced()
    house.enter_as("i", "importer")
    answer = await house.rpc.ImportOrders(batch({"external_id": "1"}), None)
    assert [(one.status, one.error_field) for one in answer.results] == [("rejected", "member_external_id")]
