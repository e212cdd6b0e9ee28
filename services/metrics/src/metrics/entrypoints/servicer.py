"""MetricsService over gRPC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from eventfold.errors import InvalidInput
from lyceum.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from metrics.application import answers
from metrics.application.calibrations import Calibrations
from metrics.application.figures import Look
from metrics.domain.activity import FORMULA_ACTIVITY, FORMULA_MEMBER_ACTIVITY
from metrics.domain.calibration import FORMULA_PROBABILITY
from metrics.domain.kinds import QUALITY
from metrics.domain.retention import FORMULA_RETENTION, FORMULA_SCORE, W_CURRENT, W_HISTORY
from metrics.domain.revenue import FORMULA_REVENUE
from metrics.entrypoints.shapes import freshness, window_message
from servicekit import validate
from servicekit.call import Call, current_call
from servicekit.times import stamp

DEFAULT_CURRENCY = "CNY"
ANY_DAY = date.min
"""Of currencies: orders that moved in may be in one that has ended."""
MAX_ID_CHARS = 200
MAX_WINDOW_DAYS, MAX_T_DAYS, MAX_POINTS = 3660, 3650, 100
MAX_WEIGHT = 100.0
AS_OF_YEARS = (1970, 2999)


class MetricsServicer(metrics_pb2_grpc.MetricsServiceServicer):
    """Each answer is computed from one snapshot, and states its formula, window, moment and freshness."""

    def __init__(self, look: Look, zone: ZoneInfo) -> None:
        self._look = look
        self._zone = zone
        self._calibrations = Calibrations()

    async def GetRetention(
        self, request: metrics_pb2.GetRetentionRequest, context: Any
    ) -> metrics_pb2.GetRetentionResponse:
        as_of = _as_of(request, current_call())
        t_days = _t_days(request.t_days)
        async with self._look() as figures:
            found = await answers.retention(figures, as_of, self._zone, t_days)
            fresh = freshness(await figures.sources(["activity"]))
        points = [metrics_pb2.RetentionPoint(t_days=t, l=value) for t, value in found.points]
        return metrics_pb2.GetRetentionResponse(
            formula=FORMULA_RETENTION,
            p=found.survival.p,
            exposed=found.survival.exposed,
            survived=found.survival.survived,
            points=points,
            window=window_message(found.window),
            as_of=stamp(as_of),
            freshness=fresh,
        )

    async def GetMemberRetention(
        self, request: metrics_pb2.GetMemberRetentionRequest, context: Any
    ) -> metrics_pb2.GetMemberRetentionResponse:
        as_of = _as_of(request, current_call())
        validate.text(request.member_id, "member_id", max_chars=MAX_ID_CHARS)
        w_history, w_current = _weight(request, "w_history", W_HISTORY), _weight(request, "w_current", W_CURRENT)
        async with self._look() as figures:
            calibration = await self._calibrations.get(figures, as_of, self._zone)
            found = await answers.member_retention(figures, request.member_id, as_of, self._zone, calibration)
            fresh = freshness(await figures.sources(["activity", "registry"]))
        return metrics_pb2.GetMemberRetentionResponse(
            formula=FORMULA_SCORE,
            score=found.engagement.score(w_history, w_current),
            history=found.engagement.history,
            current=found.engagement.current,
            probability=found.tally.probability,
            probability_support=found.tally.situations,
            probability_formula=FORMULA_PROBABILITY,
            history_window=window_message(found.history_window),
            current_window=window_message(found.current_window),
            as_of=stamp(as_of),
            freshness=fresh,
        )

    async def GetActivity(
        self, request: metrics_pb2.GetActivityRequest, context: Any
    ) -> metrics_pb2.GetActivityResponse:
        as_of = _as_of(request, current_call())
        window_days = _window_days(request.window_days)
        async with self._look() as figures:
            found = await answers.all_activity(figures, as_of, self._zone, window_days)
            fresh = freshness(await figures.sources(["activity", "registry"]))
        return metrics_pb2.GetActivityResponse(
            formula=FORMULA_ACTIVITY,
            activity=found.activity,
            activity_per_day=found.per_day,
            weighted_activity=found.weighted,
            interactions=found.interactions,
            members=found.members,
            weights={str(kind): weight for kind, weight in QUALITY.items()},
            window=window_message(found.window),
            as_of=stamp(as_of),
            freshness=fresh,
        )

    async def GetMemberActivity(
        self, request: metrics_pb2.GetMemberActivityRequest, context: Any
    ) -> metrics_pb2.GetMemberActivityResponse:
        as_of = _as_of(request, current_call())
        validate.text(request.member_id, "member_id", max_chars=MAX_ID_CHARS)
        window_days = _window_days(request.window_days)
        async with self._look() as figures:
            found = await answers.member_activity(figures, request.member_id, as_of, self._zone, window_days)
            fresh = freshness(await figures.sources(["activity", "registry"]))
        return metrics_pb2.GetMemberActivityResponse(
            formula=FORMULA_MEMBER_ACTIVITY,
            rate_per_day=found.rate_per_day,
            interactions=found.interactions,
            window=window_message(found.window),
            as_of=stamp(as_of),
            freshness=fresh,
        )

    async def GetRevenue(self, request: metrics_pb2.GetRevenueRequest, context: Any) -> metrics_pb2.GetRevenueResponse:
        as_of = _as_of(request, current_call())
        window_days = _window_days(request.window_days)
        currency = validate.currency(request.currency or DEFAULT_CURRENCY, "currency", ANY_DAY)
        async with self._look() as figures:
            found, window = await answers.revenue(figures, as_of, self._zone, window_days, currency)
            fresh = freshness(await figures.sources(["orders", "registry"]))
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
            as_of=stamp(as_of),
            freshness=fresh,
        )

    async def GetOverview(
        self, request: metrics_pb2.GetOverviewRequest, context: Any
    ) -> metrics_pb2.GetOverviewResponse:
        as_of = _as_of(request, current_call())
        async with self._look() as figures:
            found = await answers.overview(figures, as_of, self._zone)
            fresh = freshness(await figures.sources(["activity", "orders", "registry"]))
        return metrics_pb2.GetOverviewResponse(
            members=found.members,
            contents=found.contents,
            interactions={str(kind): count for kind, count in found.interactions.items()},
            orders_placed=found.orders.placed,
            orders_paid=found.orders.paid,
            as_of=stamp(as_of),
            freshness=fresh,
        )


def _as_of(request: Any, call: Call) -> datetime:
    as_of = validate.as_of(request.as_of, request.HasField("as_of"), call.now)
    validate.between(as_of.year, "as_of", *AS_OF_YEARS)
    return as_of


def _window_days(value: int) -> int:
    return validate.between(value, "window_days", 0, MAX_WINDOW_DAYS)


def _t_days(values: Sequence[int]) -> list[int]:
    validate.between(len(values), "t_days", 0, MAX_POINTS)
    return [validate.between(value, "t_days", 1, MAX_T_DAYS) for value in values]


def _weight(request: metrics_pb2.GetMemberRetentionRequest, field: str, default: float) -> float:
    if not request.HasField(field):  # type: ignore[arg-type]
        return default
    value: float = getattr(request, field)
    if not (math.isfinite(value) and 0 <= value <= MAX_WEIGHT):
        raise InvalidInput(f"must be from 0 to {MAX_WEIGHT:.0f}", field=field)
    return value
