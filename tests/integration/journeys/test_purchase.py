"""From price to access: a paid text, a limited-time promotion, a signed callback, and the ledger that follows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from community import Community, Session, eventually, rfc3339

from billing.domain.payment import ASK_AFTER
from lyceum_local.stack import LocalStack

PRICE = {"amount_minor": 9_900, "currency": "CNY"}
BODY = "付费正文 paid body"


@dataclass(frozen=True)
class Shop:
    """A creator with one paid text on sale."""

    creator: Session
    content_id: str


@pytest.fixture
def shop(community: Community) -> Shop:
    creator = community.member("creator")
    work = {"kind": "text", "title": "课程", "body": BODY * 10, "access": "paid"}
    published = creator.post("/v1/contents", work)
    creator.get_after("/v1/contents", [published["consistency_token"]])
    product = {"product_id": published["content_id"], "title": "课程", "pricing": "fixed", "price": PRICE}
    eventually(lambda: creator.request("POST", "/v1/products", json=product).status_code == 200)
    return Shop(creator, published["content_id"])


def quote(buyer: Session, shop: Shop, promotion_id: str = "") -> dict[str, Any]:
    asked = {"product_id": shop.content_id, "promotion_id": promotion_id}
    quoted: dict[str, Any] = buyer.post("/v1/quotes", asked)["quote"]
    return quoted


def start_payment(buyer: Session, order_id: str) -> dict[str, Any]:
    started = buyer.post(f"/v1/orders/{order_id}/payments", {"provider": "simulator"})
    assert started["pay_url"], "the provider has answered"
    return started


def pay(stack: LocalStack, merchant_number: str, **faults: Any) -> None:
    provider = stack.environment("billing")["PAYMENT_SIMULATOR_URL"]
    path = f"{provider}/v1/payments/{merchant_number}/pay"
    httpx.post(path, params=faults, timeout=30).raise_for_status()


def lose_callbacks(stack: LocalStack, merchant_number: str) -> None:
    provider = stack.environment("billing")["PAYMENT_SIMULATOR_URL"]
    path = f"{provider}/v1/payments/{merchant_number}/faults"
    httpx.post(path, json={"lose": True}, timeout=30).raise_for_status()


def paid(buyer: Session, order_id: str) -> bool:
    return bool(buyer.get(f"/v1/orders/{order_id}")["order"]["status"] == "paid")


def test_whoever_pays_may_read_and_the_ledger_balances(community: Community, stack: LocalStack, shop: Shop) -> None:
    buyer, path = community.member(), f"/v1/contents/{shop.content_id}"
    before = buyer.get(path)
    assert (before["access"]["allowed"], before["access"]["reason"], before["body"]) == (False, "not_entitled", "")

    order_id = buyer.post("/v1/orders", {"quote": quote(buyer, shop)})["order_id"]
    pay(stack, start_payment(buyer, order_id)["merchant_number"])

    eventually(lambda: paid(buyer, order_id))
    after = eventually(lambda: (found := buyer.get(path))["access"]["allowed"] and found)
    assert after["access"]["reason"] == "entitled" and after["body"] == BODY * 10
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
    now, buyer = datetime.now(UTC), community.member()
    promotion: dict[str, Any] = {
        "promotion_id": f"P{uuid.uuid4().hex[:8]}", "name": "限时优惠", "percent_off_bps": 2500,
        "starts_at": rfc3339(now - timedelta(hours=1)), "ends_at": rfc3339(now + timedelta(hours=1)),
        "product_ids": [shop.content_id],
    }  # fmt: skip
    shop.creator.post("/v1/promotions", promotion)
    reduced = quote(buyer, shop, promotion["promotion_id"])
    amounts = [int(reduced[name]["amount_minor"]) for name in ("list", "discount", "charged")]
    assert amounts == [9_900, 2_475, 7_425]
    order_id = buyer.post("/v1/orders", {"quote": reduced})["order_id"]
    pay(stack, start_payment(buyer, order_id)["merchant_number"])
    eventually(lambda: paid(buyer, order_id))


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
    order_id = buyer.post("/v1/orders", {"quote": quote(buyer, shop)})["order_id"]
    number = start_payment(buyer, order_id)["merchant_number"]
    forged = {"merchant_number": number, "status": "captured", "amount_minor": 9_900, "currency": "CNY"}
    answer = community.anonymous().request("POST", "/v1/callbacks/simulator", json=forged)
    assert answer.status_code in (400, 401, 403)
    assert not paid(buyer, order_id)


def test_a_payment_whose_callback_is_lost_is_asked_after_when_it_is_due(
    community: Community, stack: LocalStack, shop: Shop
) -> None:
    buyer = community.member()
    order_id = buyer.post("/v1/orders", {"quote": quote(buyer, shop)})["order_id"]
    number = start_payment(buyer, order_id)["merchant_number"]
    lose_callbacks(stack, number)
    pay(stack, number)
    eventually(lambda: paid(buyer, order_id), 2 * ASK_AFTER.total_seconds())


def _postings(community: Community, order_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = community.importer().get("/v1/ledger/postings", order_id=order_id)["postings"]
    return found
