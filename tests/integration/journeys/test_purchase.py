"""From price to access: a paid text, a limited-time promotion, a signed callback, and the ledger that follows."""

from __future__ import annotations

from typing import Any

import pytest
from community import Community, eventually
from shop import BODY, Shop, bought, lose_callbacks, opened, paid, pay, placed, promoted, quote, start_payment

from billing.payment.domain import ASK_AFTER
from lyceum_local.stack import LocalStack


@pytest.fixture
def shop(community: Community) -> Shop:
    return opened(community)


def test_whoever_pays_may_read_and_the_ledger_balances(community: Community, stack: LocalStack, shop: Shop) -> None:
    buyer, path = community.member(), f"/v1/contents/{shop.content_id}"
    before = buyer.get(path)
    assert (before["access"]["allowed"], before["access"]["reason"], before["body"]) == (False, "not_entitled", "")

    order_id = bought(buyer, stack, quote(buyer, shop))

    after = eventually(lambda: (found := buyer.get(path))["access"]["allowed"] and found)
    assert after["access"]["reason"] == "entitled" and after["body"] == BODY
    postings = eventually(lambda: _postings(community, order_id))
    assert sum(int(one["amount"]["amount_minor"]) for one in postings) == 0
    accounts = {one["account"]: int(one["amount"]["amount_minor"]) for one in postings}
    assert accounts["provider_clearing:simulator"] == 9_900
    assert accounts[f"creator_payable:{shop.creator.member_id}"] == -8_910
    assert accounts["platform_revenue"] == -990
    balance = community.importer().get("/v1/ledger/trial-balance")
    assert all(int(total["sum_minor"]) == 0 for total in balance["totals"])


def test_a_promotion_reduces_what_is_charged_while_it_lasts(
    community: Community, stack: LocalStack, shop: Shop
) -> None:
    buyer = community.member()
    reduced = quote(buyer, shop, promoted(shop))
    amounts = [int(reduced[name]["amount_minor"]) for name in ("list", "discount", "charged")]
    assert amounts == [9_900, 2_475, 7_425]
    bought(buyer, stack, reduced)


def test_an_altered_quote_is_refused(community: Community, shop: Shop) -> None:
    buyer = community.member()
    altered = quote(buyer, shop)
    altered["charged"]["amount_minor"] = "1"
    altered["discount"]["amount_minor"] = "9899"
    assert buyer.request("POST", "/v1/orders", json={"quote": altered}).status_code == 400


def test_a_quote_makes_one_order_however_often_it_is_placed(community: Community, shop: Shop) -> None:
    buyer = community.member()
    quoted = quote(buyer, shop)
    orders = {buyer.post("/v1/orders", {"quote": quoted})["order_id"] for _ in range(3)}
    assert len(orders) == 1


def test_a_callback_without_a_valid_signature_changes_nothing(
    community: Community, stack: LocalStack, shop: Shop
) -> None:
    buyer = community.member()
    order_id = placed(buyer, quote(buyer, shop))
    number = start_payment(buyer, order_id)["merchant_number"]
    forged = {"merchant_number": number, "status": "captured", "amount_minor": 9_900, "currency": "CNY"}
    answer = community.anonymous().request("POST", "/v1/callbacks/simulator", json=forged)
    assert answer.status_code in (400, 401, 403)
    assert not paid(buyer, order_id)


def test_a_payment_whose_callback_is_lost_is_asked_after_when_it_is_due(
    community: Community, stack: LocalStack, shop: Shop
) -> None:
    buyer = community.member()
    order_id = placed(buyer, quote(buyer, shop))
    number = start_payment(buyer, order_id)["merchant_number"]
    lose_callbacks(stack, number)
    pay(stack, number)
    eventually(lambda: paid(buyer, order_id), 2 * ASK_AFTER.total_seconds())


def _postings(community: Community, order_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = community.importer().get("/v1/ledger/postings", order_id=order_id)["postings"]
    return found
