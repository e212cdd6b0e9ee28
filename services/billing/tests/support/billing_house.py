"""Billing over a real PostgreSQL, from the RPCs to the queries; records are carried from store to folds by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from billing.money import Money
from billing.payment.domain import Intent
from billing.payment.provider import ProviderUnavailable, Report
from contracts.events.catalog import CONTENT_PUBLISHED, ContentPublished
from contracts.events.identity import MEMBER_REGISTERED, MemberRegistered
from contracts.external_ids import imported_id
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.common.v1 import common_pb2
from servicekit.caller import Caller
from servicekit.testing import House

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeProvider:
    """Keeps what it was asked for, reports what it is told; a callback's body is the merchant number."""

    name = "simulator"
    answer = "SUCCESS"

    def __init__(self) -> None:
        self.asked: dict[str, Intent] = {}
        self.away = False
        self.changes: dict[str, Any] = {}
        self.reports: dict[str, Report] = {}

    async def execute(self, number: str, request: Intent) -> Report:
        if self.away:
            raise ProviderUnavailable(self.name, "away")
        self.asked[number] = request
        return Report(number, "pending", request.amount, "", "", f"pay/{number}")

    async def query(self, number: str) -> Report | None:
        return self.reports.get(number)

    async def close(self, merchant_number: str) -> Report | None:
        return None

    async def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        amount = self.asked[body.decode()].amount if body.decode() in self.asked else Money(1, "CNY")
        return replace(Report(body.decode(), "paid", amount, "ref", ""), **self.changes)


@dataclass
class BillingHouse(House):
    """Billing with a provider of ours."""

    provider: FakeProvider = field(default_factory=FakeProvider)

    @property
    def rpc(self) -> Any:
        """The RPCs as they are called by whoever entered last."""
        return SimpleNamespace(**self.rpcs)

    def enter_as(self, member: str = "m1", role: str = "consumer", now: datetime = NOW, **metadata: str) -> None:
        """Make the next calls come from `member` at `now`."""
        self.now = now
        self.enter(Caller(member, role, "s") if member else None, **metadata)

    async def priced(self, product_id: str = "p1", amount_minor: int = 1000, pricing: str = "fixed") -> None:
        self.enter_as("c1", "creator")
        await self.rpc.PriceProduct(
            pb.PriceProductRequest(product_id=product_id, title="t", pricing=pricing, price=money(amount_minor)), None
        )

    async def registered(self, member_id: str) -> None:
        """Identity tells of a member."""
        fact = MemberRegistered(member_id=member_id, role="consumer", claimed=False, registered_at=NOW)
        await self.told(MEMBER_REGISTERED, fact, key=member_id)

    async def published(self, content_id: str, creator_id: str = "c1", access: str = "paid") -> None:
        """The catalog tells of a content."""
        fact = ContentPublished(
            content_id=content_id,
            creator_id=creator_id,
            kind="text",
            title="t",
            excerpt="",
            tags=[],
            category=None,
            access=access,
            body_sha256=None,
            media_uri=None,
            duration_ms=None,
            lesson_count=0,
            published_at=NOW,
        )
        await self.told(CONTENT_PUBLISHED, fact, key=content_id)

    async def quoted(self, **wish: Any) -> pb.Quote:
        request = pb.CreateQuoteRequest(**{"product_id": "p1", **wish})
        answer: pb.CreateQuoteResponse = await self.rpc.CreateQuote(request, None)
        return answer.quote

    async def placed(self, **wish: Any) -> pb.PlaceOrderResponse:
        request = pb.PlaceOrderRequest(quote=await self.quoted(**wish))
        answer: pb.PlaceOrderResponse = await self.rpc.PlaceOrder(request, None)
        return answer

    async def started(self, order_id: str) -> pb.StartPaymentResponse:
        request = pb.StartPaymentRequest(order_id=order_id, provider="simulator")
        answer: pb.StartPaymentResponse = await self.rpc.StartPayment(request, None)
        return answer

    async def called_back(self, merchant_number: str, **changes: Any) -> str:
        self.provider.changes = changes
        request = pb.HandleProviderCallbackRequest(provider="simulator")
        request.payload.data = merchant_number.encode()
        answer: pb.HandleProviderCallbackResponse = await self.rpc.HandleProviderCallback(request, None)
        return answer.code

    async def count(self, sql: str) -> int:
        return int((await self.rows(sql))[0][0])

    async def balances(self) -> dict[str, int]:
        self.enter_as("a", "auditor")
        answer = await self.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(), None)
        assert all(total.sum_minor == 0 for total in answer.totals)
        return {line.account: line.debit_minor - line.credit_minor for line in answer.lines}


def money(amount_minor: int, currency: str = "CNY") -> common_pb2.Money:
    return common_pb2.Money(amount_minor=amount_minor, currency=currency)


def stamp(at: datetime) -> Timestamp:
    value = Timestamp()
    value.FromDatetime(at)
    return value


def batch(*items: Mapping[str, Any]) -> pb.ImportOrdersRequest:
    usual = {
        "member_external_id": "7",
        "product_id": "p1",
        "creator_id": "c1",
        "list": money(1000),
        "charged": money(1000),
        "ordered_at": stamp(datetime(1997, 1, 1, tzinfo=UTC)),
    }
    return pb.ImportOrdersRequest(dataset="old", items=[pb.ImportOrder(**{**usual, **item}) for item in items])


async def imported(house: BillingHouse, *items: Mapping[str, Any]) -> list[tuple[str, str]]:
    await house.registered(imported_id("member", "old", "7"))
    house.enter_as("i", "importer")
    answer = await house.rpc.ImportOrders(batch(*items), None)
    return [(result.status, result.error_field) for result in answer.results]
