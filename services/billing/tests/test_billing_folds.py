"""Billing's folds: balanced after every event, however records are cut into batches and partitions interleave."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from billing.entitlement.domain import entitlement_id_of
from billing.entitlement.processes import GRANT_AFTER_PAID, NAME, react
from billing.entitlement.projections import ENTITLEMENTS
from billing.ledger.projections import LEDGER
from billing.order.projections import ORDER_BOOK, OrderRow
from billing.pricing.projections import CONTENT_OWNERS, PRODUCT_PRICES, PROMOTION_TERMS
from contracts.events import billing as events
from contracts.events.catalog import CONTENT_PUBLISHED
from eventfold import PublicRecord
from eventfold.fold.readmodel import given as given_to
from eventfold.testing import Tables, folded, record

START = datetime(2026, 1, 1, tzinfo=UTC)


def money(amount_minor: int, currency: str = "CNY") -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": currency}


def order(number: int, charged: int, discount: int = 0, currency: str = "CNY", creator: str = "c1") -> dict[str, Any]:
    return {
        "order_id": f"o{number}",
        "member_id": "m1",
        "creator_id": creator,
        "product_id": "p1",
        "list": money(charged + discount, currency),
        "discount": money(discount, currency),
        "charged": money(charged, currency),
        "promotion_id": None,
    }


def paid(
    seq: int,
    charged: int,
    discount: int = 0,
    bps: int = 1000,
    currency: str = "CNY",
    creator: str = "c1",
    provider: str = "simulator",
) -> PublicRecord:
    data = order(seq, charged, discount, currency, creator)
    more = {
        "platform_fee_bps": bps,
        "provider": provider,
        "payment_id": None,
        "paid_at": START + timedelta(minutes=seq),
    }
    return record(events.ORDER_PAID, {**data, **more}, seq, partition=seq % 4)


def placed(seq: int, number: int) -> PublicRecord:
    return record(events.ORDER_PLACED, {**order(number, 900), "placed_at": START}, seq)


orders_paid = st.lists(
    st.tuples(
        st.integers(0, 10**12),
        st.integers(0, 10**6),
        st.integers(0, 10_000),
        st.sampled_from(["CNY", "USD"]),
        st.sampled_from(["c1", "c2"]),
        st.sampled_from(["simulator", "imported", "free"]),
    ),
    max_size=30,
).map(lambda rows: [paid(seq, *row) for seq, row in enumerate(rows, start=1)])


def sums(tables: Tables) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for row in tables["account_balance"].values():
        totals[row.currency] += row.debit_minor - row.credit_minor
    return totals


@given(orders_paid)
def test_the_ledger_balances_after_every_event(events: list[PublicRecord]) -> None:
    for end in range(len(events) + 1):
        assert not any(sums(folded(LEDGER, *([event] for event in events[:end]))).values())


@given(orders_paid, st.randoms(use_true_random=False))
def test_the_ledger_does_not_depend_on_cuts_or_interleaving(events: list[PublicRecord], rng: random.Random) -> None:
    lanes = [[event for event in events if event.partition == partition] for partition in range(4)]
    shuffled = []
    while any(lanes):
        shuffled.append(rng.choice([lane for lane in lanes if lane]).pop(0))
    cut = rng.randint(0, len(shuffled))
    assert folded(LEDGER, shuffled[:cut], shuffled[cut:]) == folded(LEDGER, events)


@given(orders_paid)
def test_balances_are_the_sums_of_the_postings(events: list[PublicRecord]) -> None:
    tables = folded(LEDGER, events)
    for (account, currency), row in tables["account_balance"].items():
        own = [p.amount_minor for p in tables["posting"].values() if (p.account, p.currency) == (account, currency)]
        assert row.debit_minor == sum(a for a in own if a > 0)
        assert row.credit_minor == -sum(a for a in own if a < 0)
        assert row.postings == len(own)


def test_a_paid_order_posts_share_fee_and_the_discount_for_memory() -> None:
    postings = folded(LEDGER, [paid(7, charged=999, discount=201)])["posting"].values()
    assert {(p.account, p.amount_minor) for p in postings} == {
        ("provider_clearing:simulator", 999),
        ("creator_payable:c1", -900),
        ("platform_revenue", -99),
        ("promotion_discounts", 201),
        ("list_price_contra", -201),
    }
    assert {p.posting_id for p in postings} == {f"e7/{line}" for line in range(1, 6)}
    assert {p.occurred_at for p in postings} == {START + timedelta(minutes=7)}


def test_a_free_order_posts_nothing() -> None:
    assert folded(LEDGER, [paid(1, charged=0)]) == {"posting": {}, "account_balance": {}}


def test_an_order_that_is_only_placed_posts_nothing() -> None:
    assert folded(LEDGER, [placed(1, 1)]) == {"posting": {}, "account_balance": {}}


def test_the_order_book_knows_when_an_order_was_placed_and_paid() -> None:
    events = [placed(1, 2), paid(2, charged=900)]
    expected = OrderRow("o2", "m1", "c1", "p1", "CNY", 900, 0, 900, None, START, START + timedelta(minutes=2))
    assert folded(ORDER_BOOK, events)["order_book"] == {("o2",): expected}
    assert folded(ORDER_BOOK, events[:1], events[1:]) == folded(ORDER_BOOK, events)


def test_entitlements_prices_promotions_and_owners_take_their_facts() -> None:
    grant: events.EntitlementGranted = {
        "entitlement_id": "e",
        "member_id": "m",
        "product_id": "p",
        "source": "gift",
        "order_id": None,
        "granted_at": START,
        "expires_at": None,
    }
    assert folded(ENTITLEMENTS, [record(events.ENTITLEMENT_GRANTED, grant)])["entitlement"][("e",)].source == "gift"
    price: Any = {"product_id": "p", "creator_id": "c", "title": "t", "pricing": "fixed", "priced_at": START}
    priced = [record(events.PRODUCT_PRICED, {**price, "price": money(seq), "previous": None}, seq) for seq in (1, 2)]
    assert folded(PRODUCT_PRICES, priced)["product_price"][("p",)].amount_minor == 2
    terms: Any = {
        "promotion_id": "s",
        "creator_id": "c",
        "name": "n",
        "product_ids": ["p"],
        "amount_off": money(5),
        "percent_off_bps": None,
        "starts_at": START,
        "ends_at": START,
    }
    row = folded(PROMOTION_TERMS, [record(events.PROMOTION_SCHEDULED, terms)])["promotion"][("s",)]
    assert (row.amount_off_minor, row.currency, row.percent_off_bps) == (5, "CNY", None)
    published: Any = {"content_id": "x", "creator_id": "c", "access": "free"}
    content = record(CONTENT_PUBLISHED, published)
    other = record("lyceum.catalog.content.withdrawn.v1", {"content_id": "y"}, 2)
    assert folded(CONTENT_OWNERS, [content, other])["content_owner"] == {("x",): ("x", "c", "free")}


def test_a_paid_order_grants_one_entitlement_caused_by_it() -> None:
    [item] = react(paid(3, charged=5, provider="imported"))
    [ask] = item.asks
    assert ask.stream_id == ask.command.entitlement_id == entitlement_id_of("o3")
    assert (ask.command.source, ask.command.order_id) == ("import", "o3")
    assert item.context is not None
    assert (item.context.actor, item.context.causation_id, item.context.now) == (NAME, "e3", START)
    assert react(paid(3, charged=5))[0].asks[0].command.source == "purchase"
    assert given_to(GRANT_AFTER_PAID, [placed(1, 1)]) == []
