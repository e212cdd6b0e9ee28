"""Billing over a real PostgreSQL, from the RPCs to the queries; records are carried from store to folds by hand."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from google.protobuf.timestamp_pb2 import Timestamp
from servicing import Answering, Delivered

from billing.bootstrap import DEFINITION, SERVICE
from billing.entitlement import rpc as entitlement
from billing.entitlement.queries import Entitlements
from billing.ledger import rpc as ledger
from billing.ledger.queries import Postings
from billing.money import Money
from billing.order import rpc as order
from billing.order.application import Ordering
from billing.order.importing import Importing
from billing.order.queries import Orders
from billing.payment import rpc as payment
from billing.payment.application import Paying
from billing.payment.domain import Intent
from billing.payment.provider import Provider, ProviderUnavailable, Report
from billing.pricing import rpc as pricing
from billing.pricing.application import Pricing
from billing.pricing.queries import Owners, Prices
from contracts.avro import AvroCodec
from eventfold import EventStore, Pool
from eventfold.fold.runner import FoldRunner, PartitionBatch
from eventfold.publish.publisher import Publisher
from eventfold.write.rows import COLUMNS, recorded
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.common.v1 import common_pb2
from servicekit.call import Call, enter_call
from servicekit.caller import Caller
from servicekit.policy import Policies, guarded
from servicekit.reading import ReadGate

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
class House:
    """Billing in a schema of its own."""

    url: str
    pool: Pool
    store: EventStore
    publisher: Publisher
    runner: FoldRunner
    provider: FakeProvider
    rpc: Any
    seq: int = 0
    offsets: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def enter(self, member: str = "m1", role: str = "consumer", now: datetime = NOW, **metadata: str) -> None:
        """Make the next calls come from `member` at `now`."""
        caller = Caller(member, role, "s") if member else None
        headers = {name.replace("_", "-"): value for name, value in metadata.items()}
        enter_call(Call("rpc", headers, caller, now, "billing", b"secret", cast(Any, Answering())))

    async def carry(self) -> None:
        """Carry every new record through the folds and processes, and what these record in turn."""
        while await self._carry_once():
            pass

    async def _carry_once(self) -> bool:
        async with self.pool.connection() as conn:
            sql = f"SELECT {COLUMNS} FROM events WHERE position > %s ORDER BY position"  # noqa: S608
            await conn.execute("INSERT INTO sequence_run SELECT position, position, 1 FROM unsequenced")
            await conn.execute("DELETE FROM unsequenced")
            rows = await (await conn.execute(sql, [self.seq])).fetchall()
        for row in rows:
            event = recorded(DEFINITION.codec, row)
            self.seq = event.position or 0
            record = self.publisher.encode(replace(event, seq=self.seq))
            assert record is not None
            if record.topic not in self.runner.topics:
                continue
            delivered = Delivered(self.offsets[record.topic], record.key, record.value, record.headers)
            await self.runner.apply([PartitionBatch(record.topic, 0, [delivered])])
            self.offsets[record.topic] += 1
        return bool(rows)

    async def priced(self, product_id: str = "p1", amount_minor: int = 1000, pricing: str = "fixed") -> None:
        self.enter("c1", "creator")
        await self.rpc.PriceProduct(
            pb.PriceProductRequest(product_id=product_id, title="t", pricing=pricing, price=money(amount_minor)), None
        )

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
        async with self.pool.connection() as conn:
            row = await (await conn.execute(sql)).fetchone()
        return int(row[0]) if row else 0

    async def balances(self) -> dict[str, int]:
        self.enter("a", "auditor")
        answer = await self.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(), None)
        assert all(total.sum_minor == 0 for total in answer.totals)
        return {line.account: line.debit_minor - line.credit_minor for line in answer.lines}


def money(amount_minor: int, currency: str = "CNY") -> common_pb2.Money:
    return common_pb2.Money(amount_minor=amount_minor, currency=currency)


def stamp(at: datetime) -> Timestamp:
    value = Timestamp()
    value.FromDatetime(at)
    return value


def built(url: str, pool: Pool) -> House:
    publisher = Publisher("/lyceum/billing", DEFINITION.to_public, AvroCodec())
    store = EventStore(pool, DEFINITION.codec, publisher, random.Random(7))
    provider = FakeProvider()
    runner = FoldRunner(
        worker="t", pool=pool, avro=AvroCodec(), groups=DEFINITION.groups,
        store=store,
    )  # fmt: skip
    rpc = guarded(SERVICE, servicers(store, pool, provider), ReadGate(pool, {}, {}))
    return House(url, pool, store, publisher, runner, provider, rpc)


def servicers(store: EventStore, pool: Pool, provider: FakeProvider) -> list[tuple[object, Policies]]:
    """What the slices serve, through a provider of ours."""

    def quote_keys() -> list[bytes]:
        return [b"k" * 32]

    owners = Owners(pool).of
    paying = Paying(store, pool, {"simulator": cast(Provider, provider)})
    orders = order.OrderRpcs(Ordering(store, quote_keys, 1000), Importing(store, pool, owners, 1000), Orders(pool))
    return [
        (pricing.PricingRpcs(Pricing(store, pool, owners, quote_keys), Prices(pool)), pricing.POLICIES),
        (orders, order.POLICIES),
        (payment.PaymentRpcs(paying), payment.POLICIES),
        (entitlement.EntitlementRpcs(Entitlements(pool)), entitlement.POLICIES),
        (ledger.LedgerRpcs(Postings(pool)), ledger.POLICIES),
    ]


def batch(*items: Mapping[str, Any]) -> pb.ImportOrdersRequest:
    usual = {
        "member_external_id": "7", "product_id": "p1", "list": money(1000), "charged": money(1000),
        "ordered_at": stamp(datetime(1997, 1, 1, tzinfo=UTC)),
    }  # fmt: skip
    return pb.ImportOrdersRequest(dataset="old", items=[pb.ImportOrder(**{**usual, **item}) for item in items])


async def imported(house: House, *items: Mapping[str, Any]) -> list[tuple[str, str]]:
    house.enter("i", "importer")
    answer = await house.rpc.ImportOrders(batch(*items), None)
    return [(result.status, result.error_field) for result in answer.results]
