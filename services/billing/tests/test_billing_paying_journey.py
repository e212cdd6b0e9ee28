"""From a started payment over the provider's callbacks to a paid order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from billing_house import NOW, House

from billing.adapters.open_payments import PostgresOpenPayments
from billing.domain.money import Money
from billing.domain.payment import AmountMismatch, payment_id_from
from eventfold.errors import NotFound, WrongState


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
