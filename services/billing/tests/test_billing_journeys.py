"""Billing over a real PostgreSQL, from the RPCs to the queries; records are carried from store to folds by hand."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from psycopg_pool import AsyncConnectionPool

from billing.adapters.open_payments import PostgresOpenPayments
from billing.adapters.queries import Queries
from billing.application.importing import Importing
from billing.application.paying import Paying
from billing.application.ports import Provider, ProviderUnavailable, Report
from billing.application.publication import to_public
from billing.application.selling import Selling
from billing.bootstrap import DEFINITION
from billing.domain.codec import CODEC
from billing.domain.money import Money
from billing.domain.order import QuoteExpired
from billing.domain.payment import AmountMismatch, Intent, payment_id_from
from billing.domain.quote import ForgedQuote
from billing.entrypoints.servicer import BillingServicer, Parts
from contracts.avro import AvroCodec
from contracts.external_ids import imported_id
from eventfold.errors import IdempotencyMismatch, InvalidInput, NotFound, NotPermitted, WrongState
from eventfold.fold import FoldRunner, PartitionBatch
from eventfold.publish import Publisher
from eventfold.rows import COLUMNS, recorded
from eventfold.store import EventStore, Pool
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.common.v1 import common_pb2
from servicekit.call import Call, enter_call
from servicekit.caller import Caller
from servicekit.migrate import check_version, migrate
from servicekit.reading import ReadGate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeProvider:
    """Keeps what it was asked for; a callback's body is the merchant number."""

    name = "simulator"

    def __init__(self) -> None:
        self.asked: dict[str, Intent] = {}
        self.away = False
        self.changes: dict[str, Any] = {}

    async def create(self, intent: Intent, merchant_number: str) -> str:
        if self.away:
            raise ProviderUnavailable(self.name, "away")
        self.asked[merchant_number] = intent
        return f"pay/{merchant_number}"

    async def query(self, merchant_number: str) -> Report | None:
        return None

    async def close(self, merchant_number: str) -> Report | None:
        return None

    async def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        amount = self.asked[body.decode()].amount if body.decode() in self.asked else Money(1, "CNY")
        return replace(Report(body.decode(), "paid", amount, "ref", ""), **self.changes)


class FakeServicerContext:
    """Has time, and takes metadata."""

    def time_remaining(self) -> float:
        return 10.0

    async def send_initial_metadata(self, _: Any) -> None:
        """Nobody looks at it here."""


@dataclass
class House:
    """Billing in a schema of its own."""

    url: str
    pool: Pool
    store: EventStore
    publisher: Publisher
    runner: FoldRunner
    provider: FakeProvider
    rpc: BillingServicer
    seq: int = 0
    offsets: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def enter(self, member: str = "m1", role: str = "consumer", now: datetime = NOW, **metadata: str) -> None:
        """Make the next calls come from `member` at `now`."""
        caller = Caller(member, role, "s") if member else None
        headers = {name.replace("_", "-"): value for name, value in metadata.items()}
        enter_call(Call("rpc", headers, caller, now, "billing", b"secret", cast(Any, FakeServicerContext())))

    async def carry(self) -> None:
        """Carry every new record through the folds and processes, and what these record in turn."""
        while await self._carry_once():
            pass

    async def _carry_once(self) -> bool:
        async with self.pool.connection() as conn:
            sql = f"SELECT {COLUMNS} FROM events WHERE position > %s ORDER BY position"  # noqa: S608
            rows = await (await conn.execute(sql, [self.seq])).fetchall()
        for row in rows:
            event = recorded(CODEC, row)
            self.seq = event.position or 0
            record = self.publisher.encode(replace(event, seq=self.seq))
            assert record is not None
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
        return (await self.rpc.CreateQuote(request, None)).quote

    async def placed(self, **wish: Any) -> pb.PlaceOrderResponse:
        return await self.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=await self.quoted(**wish)), None)

    async def started(self, order_id: str) -> pb.StartPaymentResponse:
        return await self.rpc.StartPayment(pb.StartPaymentRequest(order_id=order_id, provider="simulator"), None)

    async def called_back(self, merchant_number: str, **changes: Any) -> str:
        self.provider.changes = changes
        request = pb.HandleProviderCallbackRequest(provider="simulator")
        request.payload.data = merchant_number.encode()
        return (await self.rpc.HandleProviderCallback(request, None)).code

    async def count(self, sql: str) -> int:
        async with self.pool.connection() as conn:
            row = await (await conn.execute(sql)).fetchone()
        return int(row[0]) if row else 0

    async def balances(self) -> dict[str, int]:
        self.enter("a", "auditor")
        answer = await self.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(), None)
        assert all(total.sum_minor == 0 for total in answer.totals)
        return {line.account: line.debit_minor - line.credit_minor for line in answer.lines}


@dataclass
class Delivered:
    """A record as a consumer hands it over."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def money(amount_minor: int, currency: str = "CNY") -> common_pb2.Money:
    return common_pb2.Money(amount_minor=amount_minor, currency=currency)


def stamp(at: datetime) -> Timestamp:
    value = Timestamp()
    value.FromDatetime(at)
    return value


def built(url: str, pool: Pool) -> House:
    publisher = Publisher("billing", to_public, AvroCodec())
    store = EventStore(pool, CODEC, publisher, random.Random(7))
    queries, provider = Queries(pool), FakeProvider()

    async def connect() -> Any:
        return await psycopg.AsyncConnection.connect(url, autocommit=True)

    parts = Parts(
        Selling(store, pool, queries, b"k" * 32, 1000), Paying(store, pool, {"simulator": cast(Provider, provider)}),
        Importing(store, pool, queries, 1000), queries, ReadGate(pool, {}, {}), lambda: None,
    )  # fmt: skip
    runner = FoldRunner(
        worker="t", pool=pool, avro=AvroCodec(), projections=DEFINITION.projections, processes=DEFINITION.processes,
        store=store,
    )  # fmt: skip
    return House(url, pool, store, publisher, runner, provider, BillingServicer(parts))


@pytest.fixture
async def house(postgres_url: str) -> AsyncIterator[House]:
    name = f"billing{uuid.uuid4().hex[:12]}"
    url = f"{postgres_url}?options=-csearch_path%3D{name}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE SCHEMA {name}")
        migrate(url, DEFINITION.migrations)
        async with AsyncConnectionPool(url, min_size=1, max_size=4, open=False, kwargs={"autocommit": True}) as pool:
            yield built(url, pool)
        await admin.execute(f"DROP SCHEMA {name} CASCADE")


async def test_migrated_columns_are_those_that_the_projections_declare(house: House) -> None:
    check_version(house.url, DEFINITION.migrations)
    async with house.pool.connection() as conn:
        for table in (table for projection in DEFINITION.projections for table in projection.tables):
            found = await conn.execute(
                """SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns
                   WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position""",
                [table.name],
            )
            types = [(kind.replace("timestamptz", "timestamp with time zone"), null) for kind, null in table.types]
            assert await found.fetchall() == [
                (column, *kind) for column, kind in zip(table.columns, types, strict=True)
            ]


async def test_from_a_price_to_an_entitlement_and_a_balanced_ledger(house: House) -> None:
    await house.priced()
    schedule = pb.SchedulePromotionRequest(
        promotion_id="spring", name="春季", percent_off_bps=2500, starts_at=stamp(NOW - timedelta(days=1)),
        ends_at=stamp(NOW + timedelta(days=1)), product_ids=["p1"],
    )  # fmt: skip
    await house.rpc.SchedulePromotion(schedule, None)
    house.enter("m1")
    placed = await house.placed(promotion_id="spring")
    started = await house.started(placed.order_id)
    assert (placed.status, started.pay_url) == ("placed", f"pay/{started.merchant_number}")
    house.enter("")
    assert await house.called_back(started.merchant_number) == "SUCCESS"
    await house.carry()
    house.enter("m1")
    order = (await house.rpc.GetOrder(pb.GetOrderRequest(order_id=placed.order_id), None)).order
    assert (order.status, order.list, order.discount, order.charged) == ("paid", money(1000), money(250), money(750))
    [entitlement] = (await house.rpc.ListEntitlements(pb.ListEntitlementsRequest(), None)).entitlements
    assert (entitlement.product_id, entitlement.source) == ("p1", "purchase")
    assert await house.balances() == {
        "provider_clearing:simulator": 750, "creator_payable:c1": -675, "platform_revenue": -75,
        "promotion_discounts": 250, "list_price_contra": -250,
    }  # fmt: skip


async def test_everything_repeated_changes_nothing(house: House) -> None:
    await house.priced()
    house.enter("m1")
    quote = await house.quoted()
    first = await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    started = await house.started(first.order_id)
    await house.called_back(started.merchant_number)
    before = await house.count("SELECT count(*) FROM events")
    house.enter("m1", now=NOW + timedelta(hours=1))
    again = await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    assert (again.order_id, again.consistency_token) == (first.order_id, "")
    assert [await house.called_back(started.merchant_number) for _ in range(3)] == ["SUCCESS"] * 3
    await house.priced()
    assert await house.count("SELECT count(*) FROM events") == before


async def test_an_idempotency_key_answers_with_the_same_ids_and_refuses_another_input(house: House) -> None:
    await house.priced()
    house.enter("m1", idempotency_key="k1")
    quote, other = await house.quoted(), await house.quoted()
    first = await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    again = await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    assert again == first
    with pytest.raises(IdempotencyMismatch):
        await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=other), None)


async def test_a_quote_cannot_be_altered_taken_over_or_used_too_late(house: House) -> None:
    await house.priced()
    house.enter("m1")
    quote = await house.quoted()
    cheaper = pb.Quote()
    cheaper.CopyFrom(quote)
    cheaper.charged.amount_minor = 1
    with pytest.raises(ForgedQuote):
        await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=cheaper), None)
    house.enter("m2")
    with pytest.raises(NotPermitted):
        await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)
    house.enter("m1", now=NOW + timedelta(minutes=15))
    with pytest.raises(QuoteExpired):
        await house.rpc.PlaceOrder(pb.PlaceOrderRequest(quote=quote), None)


async def test_a_free_order_needs_no_payment(house: House) -> None:
    await house.priced(amount_minor=0)
    house.enter("m1")
    placed = await house.placed()
    assert placed.status == "paid"
    with pytest.raises(WrongState):
        await house.started(placed.order_id)
    await house.carry()
    assert len((await house.rpc.ListEntitlements(pb.ListEntitlementsRequest(), None)).entitlements) == 1
    assert await house.balances() == {}


async def test_callbacks_that_contradict_are_refused_and_record_nothing(house: House) -> None:
    await house.priced()
    house.enter("m1")
    number = (await house.started((await house.placed()).order_id)).merchant_number
    before = await house.count("SELECT count(*) FROM events")
    with pytest.raises(AmountMismatch):
        await house.called_back(number, amount=Money(999, "CNY"))
    with pytest.raises(NotFound):
        await house.called_back("0" * 32)
    with pytest.raises(NotFound):
        await house.called_back("no number of ours")
    assert await house.called_back(number, status="pending") == "SUCCESS"
    assert await house.count("SELECT count(*) FROM events") == before
    assert await house.called_back(number) == "SUCCESS"
    with pytest.raises(WrongState):
        await house.called_back(number, status="failed", reason="late")


async def test_a_payment_is_taken_up_again_and_a_failed_one_followed_by_another(house: House) -> None:
    await house.priced()
    house.enter("m1")
    order_id = (await house.placed()).order_id
    house.provider.away = True
    first = await house.started(order_id)
    assert first.pay_url == "" and first.payment_id == payment_id_from(first.merchant_number)
    house.provider.away = False
    again = await house.started(order_id)
    assert (again.payment_id, again.pay_url) == (first.payment_id, f"pay/{first.merchant_number}")
    await house.called_back(first.merchant_number, status="failed", reason="refused")
    second = await house.started(order_id)
    assert second.payment_id != first.payment_id
    await house.called_back(second.merchant_number)
    await house.carry()
    assert await house.count("SELECT count(*) FROM events WHERE type = 'order.paid'") == 1
    assert (await house.balances())["provider_clearing:simulator"] == 1000


async def test_orders_of_others_are_not_to_be_seen_or_paid(house: House) -> None:
    await house.priced()
    house.enter("m1")
    order_id = (await house.placed()).order_id
    await house.carry()
    house.enter("m2")
    with pytest.raises(NotFound):
        await house.started(order_id)
    with pytest.raises(NotFound):
        await house.rpc.GetOrder(pb.GetOrderRequest(order_id=order_id), None)
    for forbidden in (house.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(), None),
                      house.rpc.ListPostings(pb.ListPostingsRequest(), None),
                      house.rpc.ImportOrders(pb.ImportOrdersRequest(), None),
                      house.rpc.PriceProduct(pb.PriceProductRequest(product_id="p1"), None)):  # fmt: skip
        with pytest.raises(NotPermitted):
            await forbidden


async def test_content_is_sold_by_who_published_it(house: House) -> None:
    async with house.pool.connection() as conn:
        await conn.execute("INSERT INTO content_owner VALUES ('content-1', 'c9')")
    with pytest.raises(NotPermitted):
        await house.priced("content-1")
    request = pb.PriceProductRequest(product_id="content-1", title="t", pricing="fixed", price=money(5))
    house.enter("i", "importer")
    await house.rpc.PriceProduct(request, None)
    await house.carry()
    house.enter("")
    answer = await house.rpc.GetProduct(pb.GetProductRequest(product_id="content-1"), None)
    assert (answer.creator_id, answer.price) == ("c9", money(5))
    house.enter("i", "importer")
    with pytest.raises(NotFound):
        await house.rpc.PriceProduct(pb.PriceProductRequest(product_id="nobody's"), None)


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


async def test_imports_are_idempotent_for_ever_and_equal_lines_with_other_ids_are_other_orders(house: House) -> None:
    await house.priced(pricing="open_amount", amount_minor=0)
    rows: list[Mapping[str, Any]] = [
        {"external_id": "1"}, {"external_id": "2"}, {"external_id": "2"},
        {"external_id": "3", "charged": money(600)}, {"external_id": "4", "list": money(0), "charged": money(0)},
    ]  # fmt: skip
    assert await imported(house, *rows) == [
        ("created", ""),
        ("created", ""),
        ("duplicate", ""),
        ("created", ""),
        ("created", ""),
    ]
    assert {status for status, _ in await imported(house, *rows)} == {"duplicate"}
    await house.carry()
    assert await house.balances() == {
        "provider_clearing:imported": 2600, "creator_payable:c1": -2340, "platform_revenue": -260,
        "promotion_discounts": 400, "list_price_contra": -400,
    }  # fmt: skip
    house.enter(imported_id("member", "old", "7"))
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
        ({"charged": money(1001)}, "charged.amount_minor"),
        ({"charged": money(1, "USD")}, "charged.currency"),
        ({"list": money(-1)}, "list.amount_minor"),
        ({"ordered_at": None}, "ordered_at"),
        ({"ordered_at": stamp(NOW + timedelta(days=1))}, "ordered_at"),
    ],
)
async def test_a_bad_row_is_named_and_the_others_stand(house: House, change: dict[str, Any], field: str) -> None:
    await house.priced()
    result = await imported(house, {"external_id": "1"}, {"external_id": "2", **change}, {"external_id": "3"})
    assert result == [("created", ""), ("rejected", field), ("created", "")]


async def test_an_import_that_contradicts_itself_is_rejected(house: House) -> None:
    await house.priced()
    await imported(house, {"external_id": "1"})
    assert await imported(house, {"external_id": "1", "charged": money(1)}) == [("rejected", "external_id")]


async def test_a_batch_of_duplicates_still_answers_with_a_token_to_wait_for(house: House) -> None:
    await house.priced()
    house.enter("i", "importer")
    tokens = [(await house.rpc.ImportOrders(batch({"external_id": "1"}), None)).consistency_token for _ in range(2)]
    assert tokens[0] == tokens[1] != ""


async def test_a_batch_has_bounds(house: House) -> None:
    house.enter("i", "importer")
    for request in (batch(), batch(*[{"external_id": str(number)} for number in range(501)])):
        with pytest.raises(InvalidInput) as refused:
            await house.rpc.ImportOrders(request, None)
        assert refused.value.field == "items"


async def test_the_trial_balance_of_a_day_knows_only_what_had_happened(house: House) -> None:
    await house.priced()
    days = [datetime(1997, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    await imported(house, *[{"external_id": str(at.day), "ordered_at": stamp(at)} for at in days])
    await house.carry()
    house.enter("a", "auditor")
    answer = await house.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(as_of=stamp(days[1])), None)
    lines = {line.account: (line.debit_minor, line.credit_minor, line.postings) for line in answer.lines}
    assert lines == {
        "provider_clearing:imported": (2000, 0, 2), "creator_payable:c1": (0, 1800, 2), "platform_revenue": (0, 200, 2),
    }  # fmt: skip
    assert [(total.currency, total.sum_minor) for total in answer.totals] == [("CNY", 0)]
    assert [source.projection for source in answer.freshness.sources] == ["ledger"]
    whole = await house.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(as_of=stamp(NOW)), None)
    present = await house.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(), None)
    assert list(whole.lines) == list(present.lines)


async def test_lists_are_paged_newest_first_without_gaps(house: House) -> None:
    await house.priced()
    times = [datetime(1997, 1, 1 + number // 2, tzinfo=UTC) for number in range(5)]
    await imported(house, *[{"external_id": str(n), "ordered_at": stamp(at)} for n, at in enumerate(times)])
    await house.carry()
    house.enter("a", "auditor")
    seen: list[pb.Posting] = []
    token = ""
    for _ in range(20):
        page = await house.rpc.ListPostings(pb.ListPostingsRequest(page_size=4, page_token=token), None)
        seen.extend(page.postings)
        if not (token := page.next_page_token):
            break
    assert len({posting.posting_id for posting in seen}) == len(seen) == 15
    assert [p.occurred_at.seconds for p in seen] == sorted((p.occurred_at.seconds for p in seen), reverse=True)
    one = await house.rpc.ListPostings(pb.ListPostingsRequest(order_id=seen[0].order_id), None)
    assert sum(posting.amount.amount_minor for posting in one.postings) == 0 and len(one.postings) == 3
    with pytest.raises(InvalidInput):
        await house.rpc.ListPostings(pb.ListPostingsRequest(page_token="nonsense"), None)


async def test_open_payments_are_due_by_their_pauses(house: House) -> None:
    await house.priced()
    house.enter("m1")
    numbers = [(await house.started((await house.placed()).order_id)).merchant_number for _ in range(2)]
    await house.called_back(numbers[0])
    await house.carry()
    book = PostgresOpenPayments(house.pool)
    assert await book.due(NOW, NOW - timedelta(seconds=1), 10) == []
    [payment] = await book.due(NOW, NOW, 10)
    assert (payment.merchant_number, payment.checks, payment.initiated_at) == (numbers[1], 0, NOW)
    await book.looked_at(payment, NOW + timedelta(seconds=9))
    assert await book.due(NOW + timedelta(seconds=8), NOW, 10) == []
    [payment] = await book.due(NOW + timedelta(seconds=9), NOW, 10)
    assert payment.checks == 1
