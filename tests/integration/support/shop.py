"""A paid text on sale, and how a member comes to it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from community import Community, Session, eventually, rfc3339

from lyceum_local.stack import LocalStack

PRICE = {"amount_minor": 9_900, "currency": "CNY"}
BODY = "付费正文 paid body" * 10
PERCENT_OFF_BPS = 2500


@dataclass(frozen=True)
class Shop:
    """A creator with one paid text on sale."""

    creator: Session
    content_id: str


def opened(community: Community, creator: Session | None = None) -> Shop:
    """A new shop whose product can be bought, of a new creator if none is given."""
    creator = creator or community.member("creator")
    work = {"kind": "text", "title": "课程", "body": BODY, "access": "paid"}
    published = creator.post("/v1/contents", work)
    creator.get_after("/v1/contents", [published["consistency_token"]])
    product = {"product_id": published["content_id"], "title": "课程", "pricing": "fixed", "price": PRICE}
    eventually(lambda: creator.request("POST", "/v1/products", json=product).status_code == 200)
    return Shop(creator, published["content_id"])


def promoted(shop: Shop) -> str:
    """The id of a promotion that takes a quarter off the product for an hour."""
    now, promotion_id = datetime.now(UTC), f"P{uuid.uuid4().hex[:8]}"
    promotion: dict[str, Any] = {
        "promotion_id": promotion_id,
        "name": "限时优惠",
        "percent_off_bps": PERCENT_OFF_BPS,
        "starts_at": rfc3339(now - timedelta(hours=1)),
        "ends_at": rfc3339(now + timedelta(hours=1)),
        "product_ids": [shop.content_id],
    }
    shop.creator.post("/v1/promotions", promotion)
    return promotion_id


def quote(buyer: Session, shop: Shop, promotion_id: str = "") -> dict[str, Any]:
    """What the product would cost the buyer."""
    asked = {"product_id": shop.content_id, "promotion_id": promotion_id}
    quoted: dict[str, Any] = buyer.post("/v1/quotes", asked)["quote"]
    return quoted


def placed(buyer: Session, quoted: dict[str, Any]) -> str:
    """The id of the order of a quote, once the buyer can read it."""
    order = buyer.post("/v1/orders", {"quote": quoted})
    buyer.get_after(f"/v1/orders/{order['order_id']}", [order["consistency_token"]])
    order_id: str = order["order_id"]
    return order_id


def start_payment(buyer: Session, order_id: str) -> dict[str, Any]:
    """The payment of an order, which the provider has answered."""
    started = buyer.post(f"/v1/orders/{order_id}/payments", {"provider": "simulator"})
    assert started["pay_url"], "the provider has answered"
    return started


def pay(stack: LocalStack, merchant_number: str, **faults: Any) -> None:
    """Pay at the provider."""
    provider = stack.environment("billing")["PAYMENT_SIMULATOR_URL"]
    path = f"{provider}/v1/payments/{merchant_number}/pay"
    httpx.post(path, params=faults, timeout=30).raise_for_status()


def lose_callbacks(stack: LocalStack, merchant_number: str) -> None:
    """Have the provider send nothing of a payment."""
    provider = stack.environment("billing")["PAYMENT_SIMULATOR_URL"]
    path = f"{provider}/v1/payments/{merchant_number}/faults"
    httpx.post(path, json={"lose": True}, timeout=30).raise_for_status()


def paid(buyer: Session, order_id: str) -> bool:
    """Whether an order is paid."""
    return bool(buyer.get(f"/v1/orders/{order_id}")["order"]["status"] == "paid")


def bought(buyer: Session, stack: LocalStack, quoted: dict[str, Any]) -> str:
    """The id of the order of a quote, once it is paid."""
    order_id = placed(buyer, quoted)
    pay(stack, start_payment(buyer, order_id)["merchant_number"])
    eventually(lambda: paid(buyer, order_id))
    return order_id
