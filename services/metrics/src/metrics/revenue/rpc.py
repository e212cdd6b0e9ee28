"""Revenue over gRPC. Each answer is computed from one snapshot, and states its definition, window and freshness."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final

from lyceum.metrics.v1 import metrics_pb2, revenue_pb2
from metrics import parsing
from metrics.answering import Answering
from metrics.domain import periods
from metrics.domain.periods import DAYS_PER_WEEK
from metrics.domain.windows import DAY, Window, day_of, ending
from metrics.members import members
from metrics.reading import Look, Reading
from metrics.revenue import queries, shaping
from metrics.revenue.domain import buying, forecast
from metrics.revenue.domain.revenue import FORMULA_REVENUE, FORMULA_TREND, Revenue
from metrics.scope import Scope
from metrics.shaping import window_message
from servicekit import validate
from servicekit.policy import OPERATORS, Policies, Policy

READS: Final = ("orders", "registry")
MAX_PERIODS, DEFAULT_PERIODS = 400, 12
MAX_FORECAST_DAYS, DEFAULT_FORECAST_DAYS = 366, 28
MAX_WINDOWS, DEFAULT_WINDOWS = 52, 12
MAX_WEEKS, DEFAULT_WEEKS = 104, 12
MAX_HISTORY_DAYS: Final = parsing.MAX_WINDOW_DAYS
SEED: Final = 1
"""Of what is drawn for intervals: the same question at the same data has the same answer."""

POLICIES: Final[Policies] = {
    "GetRevenue": Policy("query", OPERATORS, reads=READS),
    "GetRevenueTrend": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=READS),
    "GetRevenueForecast": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=READS),
    "GetBuyingForecast": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=READS),
}


class RevenueRpcs:
    """What is earned, and what may be expected."""

    def __init__(self, look: Look) -> None:
        self._answering = Answering(look)

    async def GetRevenue(self, request: metrics_pb2.GetRevenueRequest, context: Any) -> metrics_pb2.GetRevenueResponse:
        """R = N*C*P over a window that ends with the day of `as_of`; 0 days: since the first paid order."""
        as_of, currency = parsing.as_of(request), parsing.currency(request)
        days = validate.between(request.window_days, "window_days", 0, parsing.MAX_WINDOW_DAYS)

        async def compute(reading: Reading) -> metrics_pb2.GetRevenueResponse:
            window = await _window(reading, as_of, days, currency)
            paid = await queries.payments(reading, window, currency)
            found = Revenue(await members(reading, window.end), paid.payers, paid.revenue_minor)
            return metrics_pb2.GetRevenueResponse(
                formula=FORMULA_REVENUE,
                members=found.members,
                payers=found.payers,
                mean_spend_minor=float(found.mean_spend_minor),
                mean_spend_fraction=str(found.mean_spend_minor),
                conversion=float(found.conversion),
                revenue_minor=found.revenue_minor,
                currency=currency,
                window=window_message(window),
            )

        return await self._answering.answer(request, as_of, READS, compute)

    async def GetRevenueTrend(
        self, request: revenue_pb2.GetRevenueTrendRequest, context: Any
    ) -> revenue_pb2.GetRevenueTrendResponse:
        """What was paid period by period."""
        as_of, currency, period = parsing.as_of(request), parsing.currency(request), parsing.period(request, "month")
        number = parsing.count(request, "periods", most=MAX_PERIODS, default=DEFAULT_PERIODS)
        product_id = validate.text(request.product_id, "product_id", min_chars=0, max_chars=parsing.MAX_ID_CHARS)
        scope = Scope(parsing.creator_id(request), product_id)

        async def compute(reading: Reading) -> revenue_pb2.GetRevenueTrendResponse:
            asked = periods.ending(day_of(as_of, reading.zone), number, period, reading.zone)
            by_period, total = await queries.earned(reading, asked, scope, currency)
            registered = await queries.members_by(reading, asked)
            return revenue_pb2.GetRevenueTrendResponse(
                definition=FORMULA_TREND,
                periods=shaping.trend(asked, by_period, registered),
                total=shaping.total(asked, total, registered[asked.last]),
                period=period,
                currency=currency,
                window=window_message(asked.window),
            )

        return await self._answering.answer(request, as_of, READS, compute)

    async def GetRevenueForecast(
        self, request: revenue_pb2.GetRevenueForecastRequest, context: Any
    ) -> revenue_pb2.GetRevenueForecastResponse:
        """R = N*C*P for the coming days, with its interval and its record."""
        as_of, currency, scope = parsing.as_of(request), parsing.currency(request), Scope(parsing.creator_id(request))
        days = parsing.count(request, "window_days", most=MAX_FORECAST_DAYS, default=DEFAULT_FORECAST_DAYS)
        windows = parsing.count(request, "windows", most=MAX_WINDOWS, default=DEFAULT_WINDOWS)

        async def compute(reading: Reading) -> revenue_pb2.GetRevenueForecastResponse:
            latest = ending(day_of(as_of, reading.zone), days, reading.zone)
            spent = await queries.spent(reading, latest, windows + 1, scope, currency)
            found = await asyncio.to_thread(forecast.forecast, spent, SEED)
            return revenue_pb2.GetRevenueForecastResponse(
                **shaping.forecast_fields(found), currency=currency, window=window_message(latest)
            )

        return await self._answering.answer(request, as_of, READS, compute)

    async def GetBuyingForecast(
        self, request: revenue_pb2.GetBuyingForecastRequest, context: Any
    ) -> revenue_pb2.GetBuyingForecastResponse:
        """What those who have bought will buy."""
        as_of, currency, scope = parsing.as_of(request), parsing.currency(request), Scope(parsing.creator_id(request))
        weeks = parsing.count(request, "ahead_weeks", most=MAX_WEEKS, default=DEFAULT_WEEKS)

        async def compute(reading: Reading) -> revenue_pb2.GetBuyingForecastResponse:
            window = ending(day_of(as_of, reading.zone), MAX_HISTORY_DAYS, reading.zone)
            purchases = await queries.purchases(reading, window, scope, currency)
            before = window.last_day - weeks * DAYS_PER_WEEK * DAY
            found = await asyncio.to_thread(buying.forecast, purchases, window.last_day, before, weeks)
            return revenue_pb2.GetBuyingForecastResponse(
                **shaping.buying_fields(found), currency=currency, window=window_message(window)
            )

        return await self._answering.answer(request, as_of, READS, compute)


async def _window(reading: Reading, as_of: datetime, days: int, currency: str) -> Window:
    last_day = day_of(as_of, reading.zone)
    if days:
        return ending(last_day, days, reading.zone)
    first_at = await queries.first_paid_at(reading, currency)
    return Window(min(day_of(first_at, reading.zone), last_day) if first_at else last_day, last_day, reading.zone)
