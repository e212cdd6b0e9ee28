"""The service with its sender, a clock that is passed in, and receivers on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aiohttp import web

from contracts.events import billing, catalog, identity
from eventfold.publish import lease as leases
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications.delivery.sending import LEASE, Sender
from notifications.delivery.slice import sender
from servicekit.caller import Caller
from servicekit.testing import House

CREATOR = Caller("c1", "creator", "session")
OTHER = Caller("c2", "creator", "session")
ADMIN = Caller("a1", "admin", "session")
CONSUMER = Caller("m1", "consumer", "session")
LOOKS_AT_MOST = 2_000
Request = tuple[Mapping[str, str], str]


def money(amount_minor: int) -> dict[str, Any]:
    """An amount in CNY."""
    return {"amount_minor": amount_minor, "currency": "CNY"}


@dataclass
class Clock:
    """A clock that the test sets."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Receiver:
    """A receiver of webhooks. `answer` decides what is said to each; the default is 204."""

    url: str = ""
    got: list[Request] = field(default_factory=list)
    answer: Callable[[int], Any] = lambda _: web.Response(status=204)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Keep the headers and the body as they came, and answer."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, (await request.read()).decode()))
        answered = self.answer(len(self.got))
        return await answered if asyncio.iscoroutine(answered) else answered  # type: ignore[no-any-return]

    async def has(self, count: int) -> None:
        """Wait until so many requests have come. Raises TimeoutError after ten seconds."""
        async with asyncio.timeout(30):
            while len(self.got) < count:  # noqa: ASYNC110 - what is waited for comes over a socket
                await asyncio.sleep(0.01)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What came, as JSON."""
        return [orjson.loads(body) for _, body in self.got]

    @property
    def ids(self) -> list[str]:
        """The ids of what came, in order."""
        return [headers["webhook-id"] for headers, _ in self.got]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens on a free port of this machine."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/hook?from=lyceum"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class WebhookHouse(House):
    """The service with a sender that looks when it is told to."""

    clock: Clock = field(default_factory=lambda: Clock(datetime.now(UTC)))
    told_of: int = 0

    async def registered(
        self, url: str, *types: str, caller: Caller = CREATOR, scope: str = "own"
    ) -> pb.RegisterEndpointResponse:
        """An endpoint that is told of `types` (none: `order.placed` and `order.paid`)."""
        self.now = self.clock()
        named = types or ("order.paid", "order.placed")
        request = pb.RegisterEndpointRequest(url=url, types=named, scope=scope)
        made: pb.RegisterEndpointResponse = await self.call(request, caller)
        await self.settle()
        return made

    async def joined(self, member_id: str, role: str) -> None:
        """A member registers, in a role."""
        data = {"member_id": member_id, "role": role, "claimed": True, "registered_at": self.clock()}
        await self.happens(identity.MEMBER_REGISTERED, data, f"member-{member_id}")

    async def demoted(self, member_id: str, role: str, previous: str) -> None:
        """A member gets another role."""
        data = {"member_id": member_id, "role": role, "previous": previous, "granted_at": self.clock()}
        await self.happens(identity.MEMBER_ROLE_GRANTED, data, f"member-{member_id}")

    async def placed(self, order: str, creator: str = "c1", backfill: bool = False) -> str:
        """An order is placed; returns the id of its event."""
        at = self.clock()
        data: dict[str, Any] = {**self._order(order, creator), "promotion_id": None, "placed_at": at}
        return await self.happens(billing.ORDER_PLACED, data, f"order-{order}", backfill)

    async def paid(self, order: str, creator: str = "c1") -> str:
        """An order is paid; returns the id of its event."""
        paid: dict[str, Any] = {
            **self._order(order, creator),
            "promotion_id": None,
            "platform_fee_bps": 1_000,
            "provider": "simulator",
            "payment_id": f"p-{order}",
            "paid_at": self.clock(),
        }
        return await self.happens(billing.ORDER_PAID, paid, f"order-{order}")

    async def published(self, content: str, creator: str = "c1") -> str:
        """Content is published; returns the id of its event."""
        data: dict[str, Any] = {
            "content_id": content,
            "creator_id": creator,
            "kind": "text",
            "title": "标题",
            "excerpt": "",
            "tags": [],
            "category": None,
            "access": "free",
            "body_sha256": None,
            "media_uri": None,
            "duration_ms": None,
            "lesson_count": 0,
            "published_at": self.clock(),
        }
        return await self.happens(catalog.CONTENT_PUBLISHED, data, f"content-{content}")

    async def happens(self, kind: Any, data: Mapping[str, Any], stream: str, backfill: bool = False) -> str:
        """An event of another service is folded; returns its id."""
        self.told_of += 1
        event_id, at = f"event-{self.told_of}", self.clock().isoformat()
        headers = {
            "ce_id": event_id,
            "ce_type": kind.name,
            "ce_subject": stream,
            "ce_sequence": str(self.told_of),
            "ce_time": at,
            "ce_recordedtime": at,
            **({"ce_backfill": "true"} if backfill else {}),
        }
        value = self.wiring.avro.encode(kind.name, data)
        encoded = {name: text.encode() for name, text in headers.items()}
        await self.deliver(kind.topic, stream.encode(), value, encoded)
        return event_id

    def sender(self) -> Sender:
        """A sender by the test's clock."""
        return sender(self.wiring, self.clock)

    async def send(self, by: Sender | None = None) -> None:
        """Tell and send, until there is nothing to do at the clock's present time."""
        own = by or self.sender()
        async with await self.wiring.connect() as conn:
            lease = await leases.acquire(conn, LEASE, "test")
            assert lease is not None
            for _ in range(LOOKS_AT_MOST):
                found = await own.look(conn, lease)
                await own.settled()
                if not found:
                    break
            else:
                raise AssertionError("the sender finds no end")
            await leases.release(conn, lease)
        if by is None:
            await own.stop()

    async def send_until(self, at: datetime, by: Sender | None = None) -> None:
        """Let time pass until `at`, and send whenever something is due."""
        own = by or self.sender()
        await self.send(own)
        while (due := (await self.rows("SELECT min(next_due_at) FROM sending"))[0][0]) and due <= at:
            self.clock.now = max(self.clock.now, due)
            await self.send(own)
        self.clock.now = at

    async def states(self) -> dict[str, str]:
        """The state of each delivery, by event."""
        return {row[0]: row[1] for row in await self.rows("SELECT event_id, state FROM delivery")}

    async def listed(self, endpoint_id: str, caller: Caller = CREATOR) -> list[pb.Delivery]:
        """The deliveries as their owner sees them."""
        found = await self.call(pb.ListDeliveriesRequest(endpoint_id=endpoint_id), caller)
        return [*found.deliveries]

    def _order(self, order: str, creator: str) -> dict[str, Any]:
        return {
            "order_id": order,
            "member_id": "m1",
            "creator_id": creator,
            "product_id": "x",
            "list": money(900),
            "discount": money(0),
            "charged": money(900),
        }


HOUR = timedelta(hours=1)
