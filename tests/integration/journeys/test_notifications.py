"""What happens is told live, by server-sent events through the gateway, and stands in the list afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from community import Community, Session, eventually
from shop import bought, opened, quote

from lyceum_local.stack import LocalStack

WATCH, OPEN_S = "/v1/notifications:watch", 120.0


async def follow(session: Session, after: str, told: list[dict[str, Any]]) -> None:
    """Add to `told` what a member's stream says, until it is cancelled."""
    headers = {"authorization": f"Bearer {session.access_token}"}
    async with (
        httpx.AsyncClient(base_url=session.client.base_url, timeout=OPEN_S) as client,
        client.stream("GET", WATCH, params={"after": after}, headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                told.append(json.loads(line.removeprefix("data:")))


@contextlib.asynccontextmanager
async def followed(session: Session, after: str = "") -> AsyncIterator[list[dict[str, Any]]]:
    """What a member's stream says meanwhile; open when it is given."""
    told: list[dict[str, Any]] = []
    following = asyncio.create_task(follow(session, after, told))
    await asyncio.to_thread(eventually, lambda: told or following.done())
    yield told
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


def notified(told: list[dict[str, Any]]) -> list[str]:
    """The kinds of what was told, but for signs of life."""
    return [one["notification"]["kind"] for one in told if one.get("notification")]


async def test_a_sale_is_told_to_both_sides_as_it_happens(community: Community, stack: LocalStack) -> None:
    shop, buyer = await asyncio.to_thread(opened, community), await asyncio.to_thread(community.member)
    async with followed(buyer) as buyers, followed(shop.creator) as creators:
        order_id = await asyncio.to_thread(lambda: bought(buyer, stack, quote(buyer, shop)))
        await asyncio.to_thread(eventually, lambda: {*notified(buyers)} == {"order_paid", "access_granted"})
        await asyncio.to_thread(eventually, lambda: notified(creators) == ["order_received"])
    [sold] = [one["notification"] for one in creators if one.get("notification")]
    assert (sold["order_id"], sold["amount"]) == (order_id, {"amount_minor": "9900", "currency": "CNY"})

    first = next(one["notification"]["notification_id"] for one in buyers if one.get("notification"))
    async with followed(buyer, first) as again:
        await asyncio.to_thread(eventually, lambda: len(notified(again)) == 1)


def test_the_list_says_what_is_unread(community: Community, stack: LocalStack) -> None:
    shop, buyer = opened(community), community.member()
    bought(buyer, stack, quote(buyer, shop))
    listed = eventually(lambda: (found := buyer.get("/v1/notifications"))["unread_count"] == 2 and found)
    newest = listed["notifications"][0]["occurred_at"]
    marked = buyer.post("/v1/notifications:markRead", {"up_to": newest})
    after = buyer.get_after("/v1/notifications", [marked["consistency_token"]])
    assert after["unread_count"] == 0 and all(one["read"] for one in after["notifications"])
