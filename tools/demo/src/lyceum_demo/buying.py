"""Orders placed one by one: quote, order, payment, and the provider's signed callback through the gateway.

Safe to repeat: the member's own list of orders shows what the member has bought, and a second request with the same
line's idempotency key makes no second order.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from lyceum_cli.errors import Refused
from lyceum_cli.gateway import Gateway
from lyceum_demo import community as made
from lyceum_demo.accounts import Claims
from lyceum_demo.errors import NotPaid
from lyceum_demo.reading import Purchase

AT_ONCE: Final = 8
PAGE_ITEMS: Final = 200
PAID_DEADLINE_S: Final = 120.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.02, 0.5
PAID: Final = "paid"

Terms = tuple[int, bool]
"""The terms that distinguish one member's orders: the list amount, and whether there was a promotion."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An order in its present state."""

    order_id: str
    paid: bool


class Buyers:
    """Live buyers. `told` is called for every paid order."""

    def __init__(
        self,
        gateway: Gateway,
        claims: Claims,
        promotion_id: str,
        dataset: str,
        told: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._claims = claims
        self._promotion_id = promotion_id
        self._dataset = dataset
        self._told = told
        self._clock = clock
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def buy(self, purchases: Sequence[Purchase]) -> None:
        """Make all purchases, each once, and return when all are paid. Raises `NotPaid` or any `CliError`."""
        of_member: dict[int, list[Purchase]] = defaultdict(list)
        for purchase in purchases:
            of_member[purchase.member].append(purchase)
        async with httpx.AsyncClient(trust_env=False) as provider, asyncio.TaskGroup() as group:
            for member, wanted in of_member.items():
                group.create_task(self._buy_all(member, wanted, provider))

    async def _buy_all(self, member: int, wanted: Sequence[Purchase], provider: httpx.AsyncClient) -> None:
        session = self._gateway.another()
        async with self._at_once:
            await self._claims.log_in(session, f"member{member}")
            known = await self._known(session)
        async with asyncio.TaskGroup() as group:
            for purchase, placed in matched(wanted, known):
                group.create_task(self._buy_one(session, purchase, placed, provider))

    async def _known(self, session: Gateway) -> Mapping[Terms, list[Placed]]:
        """The member's orders by their terms."""
        found: dict[Terms, list[Placed]] = defaultdict(list)
        page_token = ""
        while True:
            answer = await session.get("/v1/orders", {"page_size": PAGE_ITEMS, "page_token": page_token})
            for order in answer.body["orders"]:
                terms = int(order["list"]["amount_minor"]), bool(order["promotion_id"])
                found[terms].append(Placed(order["order_id"], order["status"] == PAID))
            page_token = answer.body["next_page_token"]
            if not page_token:
                return found

    async def _buy_one(
        self, session: Gateway, purchase: Purchase, placed: Placed | None, provider: httpx.AsyncClient
    ) -> None:
        async with self._at_once:
            order = placed or await self._place(session, purchase)
            if not order.paid:
                await self._pay(session, order.order_id, provider)
        if not order.paid:
            await self._until_paid(session, order.order_id)
        self._told()

    async def _place(self, session: Gateway, purchase: Purchase) -> Placed:
        wish: dict[str, Any] = {"product_id": made.PRODUCT, "amount_minor": str(made.list_minor(purchase))}
        if made.promoted(purchase):
            wish["promotion_id"] = self._promotion_id
        quote = (await session.post("/v1/quotes", wish)).body["quote"]
        key = f"{self._dataset}-line-{purchase.line}"
        answer = await session.post("/v1/orders", {"quote": quote}, idempotency_key=key)
        return Placed(answer.body["order_id"], answer.body["status"] == PAID)

    async def _pay(self, session: Gateway, order_id: str, provider: httpx.AsyncClient) -> None:
        """Start the payment and pay as the buyer at the provider. The callback comes by itself."""
        try:
            started = await session.post(f"/v1/orders/{order_id}/payments", {"provider": "simulator"})
        except Refused as refusal:
            if refusal.reason != "WRONG_STATE":
                raise
            return  # paid meanwhile: a callback of an earlier run has arrived
        if started.body["pay_url"]:
            (await provider.post(started.body["pay_url"])).raise_for_status()

    async def _until_paid(self, session: Gateway, order_id: str) -> None:
        """Wait until the order is paid. The callback goes to billing, so this polls the order."""
        began = self._clock()
        pause_s = FIRST_PAUSE_S
        while not await self._is_paid(session, order_id):
            if self._clock() - began > PAID_DEADLINE_S:
                raise NotPaid(1, PAID_DEADLINE_S)
            await asyncio.sleep(pause_s)
            pause_s = min(MAX_PAUSE_S, pause_s * 2)

    async def _is_paid(self, session: Gateway, order_id: str) -> bool:
        try:
            return bool((await session.get(f"/v1/orders/{order_id}")).body["order"]["status"] == PAID)
        except Refused as refusal:
            if refusal.status != httpx.codes.NOT_FOUND:
                raise
            return False  # the projection has not applied the order yet


def matched(
    wanted: Sequence[Purchase], known: Mapping[Terms, Sequence[Placed]]
) -> list[tuple[Purchase, Placed | None]]:
    """Each purchase with a matching order of the same terms, or None. Equal purchases take one order each."""
    left = {terms: list(orders) for terms, orders in known.items()}
    found: list[tuple[Purchase, Placed | None]] = []
    for purchase in wanted:
        orders = left.get((made.list_minor(purchase), made.promoted(purchase)), [])
        found.append((purchase, orders.pop() if orders else None))
    return found
