"""From two new accounts to the first sale: a creator publishes and prices, a member buys and reads.

    python first_sale.py http://127.0.0.1:8080

Prints one line for each step. The payment is made at the simulator of the local stack: elsewhere a person pays at
`pay_url`.
"""

from __future__ import annotations

import asyncio
import sys
import uuid

import httpx

from lyceum_client import Lyceum, until
from lyceum_client.errors import FailedPrecondition, NotFound
from lyceum_client.messages import billing, catalog, common, identity

PASSWORD = "password123"  # noqa: S105 - of accounts that this example makes on a local stack
PRICE = common.Money(amount_minor=9_900, currency="CNY")
BODY = "变量、循环与函数。"
PAY_S = 30.0


async def joined(lyceum: Lyceum, role: str) -> str:
    """Register an account and log in with it. Returns the member id."""
    username = f"{role}-{uuid.uuid4().hex[:12]}"
    await lyceum.identity.register(identity.RegisterRequest(username=username, password=PASSWORD, role=role))
    return (await lyceum.log_in(username, PASSWORD)).member_id


async def on_sale(creator: Lyceum) -> str:
    """Publish a paid text and price it. Returns its content id."""
    text = catalog.PublishContentRequest(kind="text", title="Python编程基础", body=BODY, access="paid")
    content_id = (await creator.catalog.publish_content(text)).value.content_id
    product = billing.PriceProductRequest(product_id=content_id, title=text.title, pricing="fixed", price=PRICE)

    async def priced() -> bool:
        """Billing waits for the publication (the session remembers its token), for 2 s at most."""
        try:
            await creator.billing.price_product(product)
        except NotFound:
            return False
        return True

    await until(priced, bool)
    return content_id


async def bought(buyer: Lyceum, content_id: str) -> billing.Order:
    """Order the content and pay. Returns the paid order."""
    quote = (await buyer.billing.create_quote(billing.CreateQuoteRequest(product_id=content_id))).value.quote
    placed = (await buyer.billing.place_order(billing.PlaceOrderRequest(quote=quote))).value
    wish = billing.StartPaymentRequest(order_id=placed.order_id, provider="simulator")
    payment = (await buyer.billing.start_payment(wish)).value
    async with httpx.AsyncClient(timeout=PAY_S) as browser:
        (await browser.post(payment.pay_url)).raise_for_status()

    async def order() -> billing.Order | None:
        return (await buyer.billing.get_order(billing.GetOrderRequest(order_id=placed.order_id))).value.order

    found = await until(order, lambda one: one is not None and one.status == "paid")
    assert found is not None  # noqa: S101 - `until` has looked
    return found


async def read(buyer: Lyceum, content_id: str) -> catalog.GetContentResponse:
    """The content, once the entitlement has followed the payment."""

    async def content() -> catalog.GetContentResponse:
        return (await buyer.catalog.get_content(catalog.GetContentRequest(content_id=content_id))).value

    return await until(content, lambda one: one.access is not None and one.access.allowed)


async def refused_twice(buyer: Lyceum, content_id: str) -> str:
    """Why the same is not bought a second time."""
    try:
        await bought(buyer, content_id)
    except FailedPrecondition as refusal:
        return refusal.reason
    return ""


async def main(url: str) -> None:
    """Play both parts against the gateway at `url`."""
    async with Lyceum(url) as creator, Lyceum(url) as buyer:
        await joined(creator, "creator")
        member_id = await joined(buyer, "consumer")
        content_id = await on_sale(creator)
        print(f"on sale: {content_id}")
        order = await bought(buyer, content_id)
        charged = order.charged or common.Money()
        print(f"{order.status}: {order.order_id} by {member_id}, {charged.amount_minor} {charged.currency}")
        content = await read(buyer, content_id)
        print(f"reads: {content.body}")
        print("orders:", [one.order_id async for one in buyer.billing.iter_orders()])
        print("again:", await refused_twice(buyer, content_id))
        await asyncio.gather(creator.log_out(), buyer.log_out())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"))
