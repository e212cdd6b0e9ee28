"""Answers about revenue as messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lyceum.metrics.v1 import revenue_pb2
from metrics.domain.periods import Periods, first_day
from metrics.revenue.domain.buying import FORMULA_BUYING, BuyingForecast, HeldOut
from metrics.revenue.domain.forecast import FORMULA_FORECAST, Forecast, Trial
from metrics.revenue.domain.revenue import Earned
from metrics.shaping import day_text


def trend(
    asked: Periods, by_period: Mapping[int, Earned], registered: Mapping[int, int]
) -> list[revenue_pb2.RevenuePeriod]:
    """Every period, also those in which nothing was paid."""
    return [
        revenue_pb2.RevenuePeriod(
            first_day=day_text(first_day(number, asked.period)),
            last_day=day_text(asked.last_day_of(number)),
            closed=number <= asked.closed,
            **_earned(by_period.get(number, Earned()), registered[number]),
        )
        for number in range(asked.first, asked.last + 1)
    ]


def total(asked: Periods, earned: Earned, members: int) -> revenue_pb2.RevenuePeriod:
    """All periods together."""
    return revenue_pb2.RevenuePeriod(
        first_day=day_text(first_day(asked.first, asked.period)),
        last_day=day_text(asked.last_day_of(asked.last)),
        closed=asked.closed == asked.last,
        **_earned(earned, members),
    )


def _earned(one: Earned, members: int) -> dict[str, Any]:
    return {
        "orders": one.orders,
        "payers": one.payers,
        "gross_minor": one.gross_minor,
        "discount_minor": one.discount_minor,
        "charged_minor": one.charged_minor,
        "commission_minor": one.commission_minor,
        "net_minor": one.net_minor,
        "members": members,
        "per_member_minor": one.per_member_minor(members),
        "per_payer_minor": one.per_payer_minor,
    }


def forecast_fields(found: Forecast) -> dict[str, Any]:
    """The coming window and the trials."""
    return {
        "definition": FORMULA_FORECAST,
        "revenue_minor": found.coming.point_minor,
        "low_minor": found.coming.low_minor,
        "high_minor": found.coming.high_minor,
        "members": found.latest.members,
        "mean_spend_minor": float(found.latest.mean_spend_minor),
        "conversion": float(found.latest.conversion),
        "trials": [_trial(one) for one in found.trials],
        "coverage": found.coverage,
        "error_percent": found.error_percent,
    }


def _trial(one: Trial) -> revenue_pb2.ForecastTrial:
    return revenue_pb2.ForecastTrial(
        first_day=day_text(one.window.first_day),
        last_day=day_text(one.window.last_day),
        forecast_minor=one.forecast.point_minor,
        low_minor=one.forecast.low_minor,
        high_minor=one.forecast.high_minor,
        revenue_minor=one.window.revenue.revenue_minor,
    )


def buying_fields(found: BuyingForecast) -> dict[str, Any]:
    """The models and what they expect."""
    models, expected = found.models, found.expected
    return {
        "definition": FORMULA_BUYING,
        "buyers": found.buyers,
        "parameters": models.parameters if models else {},
        "log_likelihood": models.buying.log_likelihood if models else 0.0,
        "expected_purchases": expected.purchases if expected else 0.0,
        "expected_revenue_minor": expected.revenue_minor if expected else 0.0,
        "naive_revenue_minor": expected.naive_revenue_minor if expected else 0.0,
        "value_per_buyer_minor": found.value_per_buyer_minor,
        "held_out": _held_out(found.held_out) if found.held_out else None,
    }


def _held_out(one: HeldOut) -> revenue_pb2.HeldOutBuying:
    return revenue_pb2.HeldOutBuying(
        purchases=one.purchases,
        expected_purchases=one.expected.purchases,
        naive_purchases=one.expected.naive_purchases,
        revenue_minor=one.revenue_minor,
        expected_revenue_minor=one.expected.revenue_minor,
        naive_revenue_minor=one.expected.naive_revenue_minor,
    )
