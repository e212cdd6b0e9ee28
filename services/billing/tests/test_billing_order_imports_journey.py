"""Batches of imported orders, from their rows to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from billing_house import NOW, BillingHouse, batch, imported, money, stamp

from contracts.external_ids import imported_id
from eventfold.errors import InvalidInput
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.common.v1 import common_pb2


async def test_imports_are_idempotent_for_ever_and_equal_lines_with_other_ids_are_other_orders(
    house: BillingHouse,
) -> None:
    await house.priced(pricing="open_amount", amount_minor=0)
    rows: list[Mapping[str, Any]] = [
        {"external_id": "1"},
        {"external_id": "2"},
        {"external_id": "2"},
        {"external_id": "3", "charged": money(600)},
        {"external_id": "4", "list": money(0), "charged": money(0)},
    ]
    assert await imported(house, *rows) == [
        ("created", ""),
        ("created", ""),
        ("duplicate", ""),
        ("created", ""),
        ("created", ""),
    ]
    assert {status for status, _ in await imported(house, *rows)} == {"duplicate"}
    await house.settle()
    assert await house.balances() == {
        "provider_clearing:imported": 2600,
        "creator_payable:c1": -2340,
        "platform_revenue": -260,
        "promotion_discounts": 400,
        "list_price_contra": -400,
    }
    house.enter_as(imported_id("member", "old", "7"))
    orders = (await house.rpc.ListOrders(pb.ListOrdersRequest(), None)).orders
    assert {order.order_id for order in orders} == {imported_id("order", "old", number) for number in "1234"}
    assert {order.paid_at.ToDatetime().year for order in orders} == {1997}
    granted = (await house.rpc.ListEntitlements(pb.ListEntitlementsRequest(), None)).entitlements
    assert [(one.source, one.granted_at.ToDatetime().year) for one in granted] == [("import", 1997)] * 4


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"product_id": "unknown"}, "product_id"),
        ({"external_id": ""}, "external_id"),
        ({"member_external_id": ""}, "member_external_id"),
        ({"member_external_id": "8"}, "member_external_id"),
        ({"promotion_id": "nobody's"}, "promotion_id"),
        ({"creator_id": ""}, "creator_id"),
        ({"creator_id": "who-should-have-priced-it"}, "creator_id"),
        ({"list": common_pb2.Money(currency="CNY")}, "list.amount_minor"),
        ({"list": money(1000, "ZZZ")}, "list.currency"),
        ({"charged": money(1001)}, "charged.amount_minor"),
        ({"charged": money(1, "USD")}, "charged.currency"),
        ({"list": money(-1)}, "list.amount_minor"),
        ({"ordered_at": None}, "ordered_at"),
        ({"ordered_at": stamp(NOW + timedelta(days=1))}, "ordered_at"),
    ],
)
async def test_a_bad_row_is_named_and_the_others_stand(house: BillingHouse, change: dict[str, Any], field: str) -> None:
    await house.priced()
    result = await imported(house, {"external_id": "1"}, {"external_id": "2", **change}, {"external_id": "3"})
    assert result == [("created", ""), ("rejected", field), ("created", "")]


@pytest.mark.parametrize(
    ("currency", "ordered_at", "status"),
    [
        ("DEM", datetime(1997, 1, 1, tzinfo=UTC), "created"),
        ("HRK", datetime(2023, 1, 14, 23, 59, tzinfo=UTC), "created"),
        ("HRK", datetime(2023, 1, 15, tzinfo=UTC), "rejected"),
        ("BGN", datetime(2025, 12, 31, tzinfo=UTC), "created"),
        ("ANG", datetime(2025, 7, 1, tzinfo=UTC), "rejected"),
        ("XAU", datetime(1997, 1, 1, tzinfo=UTC), "rejected"),
        ("dem", datetime(1997, 1, 1, tzinfo=UTC), "rejected"),
    ],
)
async def test_given_a_currency_that_has_ended_then_orders_from_before_move_in(
    house: BillingHouse, currency: str, ordered_at: datetime, status: str
) -> None:
    await house.priced()
    row = {"external_id": "1", "list": money(500, currency), "charged": money(500, currency)}
    field = "" if status == "created" else "list.currency"
    assert await imported(house, {**row, "ordered_at": stamp(ordered_at)}) == [(status, field)]


@pytest.mark.parametrize("currency", ["DEM", "HRK", "ANG"])
async def test_given_a_currency_that_has_ended_then_nothing_is_priced_in_it(house: BillingHouse, currency: str) -> None:
    house.enter_as("c1", "creator")
    request = pb.PriceProductRequest(product_id="p9", title="t", pricing="fixed", price=money(500, currency))
    with pytest.raises(InvalidInput) as refused:
        await house.rpc.PriceProduct(request, None)
    assert refused.value.field == "price.currency"


async def test_an_import_that_contradicts_itself_is_rejected(house: BillingHouse) -> None:
    await house.priced()
    await imported(house, {"external_id": "1"})
    assert await imported(house, {"external_id": "1", "charged": money(1)}) == [("rejected", "external_id")]


async def test_a_batch_of_duplicates_still_answers_with_a_token_to_wait_for(house: BillingHouse) -> None:
    await house.priced()
    await imported(house, {"external_id": "1"})
    tokens = [(await house.rpc.ImportOrders(batch({"external_id": "1"}), None)).consistency_token for _ in range(2)]
    assert tokens[0] == tokens[1] != ""


async def test_a_batch_has_bounds(house: BillingHouse) -> None:
    house.enter_as("i", "importer")
    for request in (batch(), batch(*[{"external_id": str(number)} for number in range(501)])):
        with pytest.raises(InvalidInput) as refused:
            await house.rpc.ImportOrders(request, None)
        assert refused.value.field == "items"
