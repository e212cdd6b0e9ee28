"""From a started payment over the provider's callbacks to a paid order."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import cast

import pytest
from billing_house import NOW, BillingHouse

from billing.money import Money
from billing.payment.domain import AmountMismatch, payment_id_from
from billing.payment.provider import Provider, Report
from billing.payment.reconciling import Reconciler
from eventfold.errors import NotFound, WrongState
from eventfold.publish import lease as leases
from eventfold.timers.due_worker import DueWorker


async def test_callbacks_that_contradict_are_refused_and_record_nothing(house: BillingHouse) -> None:
    await house.priced()
    house.enter_as("m1")
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


async def test_a_payment_is_taken_up_again_and_a_failed_one_followed_by_another(house: BillingHouse) -> None:
    await house.priced()
    house.enter_as("m1")
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
    await house.settle()
    assert await house.count("SELECT count(*) FROM events WHERE type = 'order.paid'") == 1
    assert (await house.balances())["provider_clearing:simulator"] == 1000


async def reconciled(house: BillingHouse, now: datetime) -> None:
    """One look of the due-date worker at this moment."""
    handler = Reconciler(lambda _: cast(Provider, house.provider), timedelta(hours=2)).handler
    worker = DueWorker(
        name="due.billing",
        holder="one",
        connect=house.pool.getconn,
        store=house.store,
        handlers=[handler],
        clock=lambda: now,
        rng=random.Random(7),
    )
    async with house.pool.connection() as conn:
        lease = await leases.acquire(conn, "due.billing", "one")
        assert lease
        await worker.look(conn, lease)
        await leases.release(conn, lease)


async def open_payments(house: BillingHouse) -> list[str]:
    async with house.pool.connection() as conn:
        rows = await (await conn.execute("SELECT stream_id FROM due_date ORDER BY 1")).fetchall()
    return [row[0] for row in rows]


async def test_open_payments_are_asked_after_and_settled_ones_are_not(house: BillingHouse) -> None:
    await house.priced()
    house.enter_as("m1")
    started = [await house.started((await house.placed()).order_id) for _ in range(3)]
    await house.called_back(started[0].merchant_number)
    assert await open_payments(house) == sorted(one.payment_id for one in started[1:])
    paid = Report(started[1].merchant_number, "paid", Money(1000, "CNY"), "ref", "")
    house.provider.reports = {paid.merchant_number: paid}
    await reconciled(house, NOW + timedelta(seconds=29))
    assert len(await open_payments(house)) == 2
    await reconciled(house, NOW + timedelta(seconds=30))
    assert await open_payments(house) == [started[2].payment_id]
    assert await house.count("SELECT count(*) FROM events WHERE type = 'order.paid'") == 2
    await reconciled(house, NOW + timedelta(hours=2))
    assert await open_payments(house) == []
    assert await house.count("SELECT count(*) FROM events WHERE data->>'reason' = 'expired'") == 1


async def test_a_report_that_contradicts_is_refused_and_waits_for_somebody(house: BillingHouse) -> None:
    await house.priced()
    house.enter_as("m1")
    number = (await house.started((await house.placed()).order_id)).merchant_number
    house.provider.reports = {number: Report(number, "paid", Money(999, "CNY"), "ref", "")}
    await reconciled(house, NOW + timedelta(seconds=30))
    assert await house.count("SELECT count(*) FROM events WHERE type = 'payment.captured'") == 0
    assert len(await open_payments(house)) == 1
    house.provider.reports = {}
    await house.called_back(number)
    assert await open_payments(house) == []
