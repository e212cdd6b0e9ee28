"""Quotes: one pure price, signed so that no field can be altered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import MAX_AMOUNT_MINOR, Money
from billing.pricing.domain import quote as quotes
from billing.pricing.domain.product import Product, ProductPriced
from billing.pricing.domain.promotion import Promotion, PromotionScheduled
from billing.pricing.domain.quote import ForgedQuote, Quote, Wish
from eventfold.errors import DomainError, InvalidInput, NotFound, WrongState

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = b"k" * 32
FIXED = ProductPriced("p1", "c1", "t", "fixed", Money(9999, "CNY"), None)
OPEN = replace(FIXED, pricing="open_amount", price=Money(100, "CNY"))
QUARTER = PromotionScheduled("q", "c1", "n", None, 2500, NOW - timedelta(days=1), NOW + timedelta(days=1), ("p1",))
FLAT = replace(QUARTER, percent_off_bps=None, amount_off=Money(500, "CNY"))
PLAIN, PROMOTED = Wish("p1", None, None), Wish("p1", None, "q")


def price(
    wish: Wish, product: ProductPriced | None = FIXED, promotion: PromotionScheduled | None = None
) -> quotes.Price:
    return quotes.price(wish, Product(product), Promotion(promotion), NOW)


def amounts(price: quotes.Price) -> tuple[int, int, int]:
    return price.list_price.amount_minor, price.discount.amount_minor, price.charged.amount_minor


def test_a_fixed_price_is_charged_as_it_is() -> None:
    assert amounts(price(PLAIN)) == (9999, 0, 9999)


def test_a_percentage_off_is_rounded_down() -> None:
    assert amounts(price(PROMOTED, promotion=QUARTER)) == (9999, 2499, 7500)


def test_an_amount_off_never_goes_below_zero() -> None:
    assert amounts(price(PROMOTED, promotion=FLAT)) == (9999, 500, 9499)
    assert amounts(price(PROMOTED, replace(FIXED, price=Money(300, "CNY")), FLAT)) == (300, 300, 0)


def test_an_open_amount_is_what_the_buyer_names() -> None:
    assert amounts(price(Wish("p1", 700, None), OPEN)) == (700, 0, 700)


@given(st.integers(100, MAX_AMOUNT_MINOR), st.integers(1, 10_000))
def test_the_parts_sum_to_the_list_amount(amount_minor: int, bps: int) -> None:
    listed, discount, charged = amounts(
        price(Wish("p1", amount_minor, "q"), OPEN, replace(QUARTER, percent_off_bps=bps))
    )
    assert listed == amount_minor == discount + charged
    assert 0 <= discount <= listed and charged >= 0


@pytest.mark.parametrize(
    ("wish", "product", "promotion", "error", "field"),
    [
        (PLAIN, None, None, NotFound, "product_id"),
        (Wish("p1", 5, None), FIXED, None, InvalidInput, "amount_minor"),
        (PLAIN, OPEN, None, InvalidInput, "amount_minor"),
        (Wish("p1", 99, None), OPEN, None, InvalidInput, "amount_minor"),
        (Wish("p1", MAX_AMOUNT_MINOR + 1, None), OPEN, None, InvalidInput, "amount_minor"),
        (PROMOTED, FIXED, None, NotFound, "promotion_id"),
        (PROMOTED, FIXED, replace(QUARTER, product_ids=("p2",)), NotFound, "promotion_id"),
        (PROMOTED, FIXED, replace(QUARTER, creator_id="c2"), NotFound, "promotion_id"),
        (PROMOTED, FIXED, replace(QUARTER, starts_at=NOW + timedelta(seconds=1)), WrongState, "promotion_id"),
        (PROMOTED, FIXED, replace(QUARTER, ends_at=NOW), WrongState, "promotion_id"),
        (PROMOTED, FIXED, replace(FLAT, amount_off=Money(5, "USD")), WrongState, "promotion_id"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    wish: Wish, product: Any, promotion: Any, error: type[DomainError], field: str
) -> None:
    with pytest.raises(error) as refused:
        price(wish, product, promotion)
    assert refused.value.field == field


QUOTE = Quote("q1", "m1", "p1", "c1", quotes.priced(100, 10, "CNY"), None, NOW)


def test_a_quote_verifies_under_the_key_that_signed_it() -> None:
    quotes.verify(QUOTE, quotes.sign(QUOTE, KEY), [KEY])


@pytest.mark.parametrize(
    "altered",
    [
        replace(QUOTE, quote_id="q2"),
        replace(QUOTE, member_id="m2"),
        replace(QUOTE, product_id="p2"),
        replace(QUOTE, creator_id="c2"),
        replace(QUOTE, promotion_id="x"),
        replace(QUOTE, expires_at=NOW + timedelta(microseconds=1)),
        replace(QUOTE, price=quotes.priced(100, 11, "CNY")),
        replace(QUOTE, price=quotes.priced(100, 10, "JPY")),
        replace(QUOTE, quote_id='q1","m1', member_id=""),
    ],
)
def test_an_altered_quote_is_forged(altered: Quote) -> None:
    with pytest.raises(ForgedQuote):
        quotes.verify(altered, quotes.sign(QUOTE, KEY), [KEY])


def test_a_quote_of_another_key_is_forged() -> None:
    with pytest.raises(ForgedQuote):
        quotes.verify(QUOTE, quotes.sign(QUOTE, b"x" * 32), [KEY])
    with pytest.raises(ForgedQuote):
        quotes.verify(QUOTE, b"", [KEY])


def test_a_quote_under_a_key_that_was_replaced_is_still_ours() -> None:
    quotes.verify(QUOTE, quotes.sign(QUOTE, KEY), [b"n" * 32, KEY])
