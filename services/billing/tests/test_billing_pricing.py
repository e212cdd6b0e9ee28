"""Products and promotions: what may be announced, by whom, and what a repetition does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.money import MAX_AMOUNT_MINOR, Money
from billing.pricing.domain import product, promotion
from billing.pricing.domain.product import PriceProduct, Product, ProductPriced
from billing.pricing.domain.promotion import Promotion, PromotionScheduled, SchedulePromotion
from eventfold.errors import AlreadyExists, InvalidInput, NotPermitted

START = datetime(2026, 1, 1, tzinfo=UTC)
PRICE = PriceProduct("p1", "c1", "课程", "fixed", Money(9900, "CNY"))
PROMO = SchedulePromotion("spring", "c1", "春季", None, 2500, START, START + timedelta(days=7), ("p1", "p2"))


def priced(command: PriceProduct = PRICE, state: Product | None = None) -> Product:
    state = state or Product()
    return product.PRODUCT.decider.fold(product.decide(command, state), state)


def test_a_first_price_has_no_previous() -> None:
    assert product.decide(PRICE, Product()) == [ProductPriced("p1", "c1", "课程", "fixed", Money(9900, "CNY"), None)]


def test_a_changed_price_keeps_the_previous() -> None:
    cheaper = replace(PRICE, price=Money(8800, "CNY"))
    assert product.decide(cheaper, priced())[0].previous == Money(9900, "CNY")


def test_the_same_price_again_records_nothing() -> None:
    assert product.decide(PRICE, priced()) == []


def test_another_creator_cannot_price_the_product() -> None:
    with pytest.raises(NotPermitted):
        product.decide(replace(PRICE, creator_id="c2"), priced())


@pytest.mark.parametrize("amount_minor", [-1, MAX_AMOUNT_MINOR + 1])
def test_an_amount_out_of_bounds_is_refused(amount_minor: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        product.decide(replace(PRICE, price=Money(amount_minor, "CNY")), Product())
    assert refused.value.field == "price.amount_minor"


def scheduled() -> Promotion:
    return promotion.PROMOTION.decider.fold(promotion.decide(PROMO, Promotion()))


def test_a_promotion_is_announced_once_and_repeated_for_nothing() -> None:
    [event] = promotion.decide(PROMO, Promotion())
    assert isinstance(event, PromotionScheduled) and event.percent_off_bps == 2500
    assert promotion.decide(PROMO, scheduled()) == []


@pytest.mark.parametrize("change", [{"percent_off_bps": 3000}, {"creator_id": "c2"}])
def test_an_id_stands_for_one_promotion(change: dict[str, Any]) -> None:
    with pytest.raises(AlreadyExists):
        promotion.decide(replace(PROMO, **change), scheduled())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"percent_off_bps": None}, "reduction"),
        ({"amount_off": Money(1, "CNY")}, "reduction"),
        ({"percent_off_bps": 0}, "percent_off_bps"),
        ({"percent_off_bps": 10_001}, "percent_off_bps"),
        ({"percent_off_bps": None, "amount_off": Money(0, "CNY")}, "amount_off.amount_minor"),
        ({"ends_at": START}, "ends_at"),
        ({"product_ids": ()}, "product_ids"),
        ({"product_ids": ("p1", "p1")}, "product_ids"),
        ({"product_ids": tuple(map(str, range(501)))}, "product_ids"),
    ],
)
def test_terms_that_make_no_sense_are_refused_by_name(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        promotion.decide(replace(PROMO, **change), Promotion())
    assert refused.value.field == field
