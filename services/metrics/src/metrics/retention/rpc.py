"""Retention over gRPC. Each answer is computed from one snapshot, and states its definition, window and freshness."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from lyceum.metrics.v1 import metrics_pb2, retention_pb2
from metrics import parsing as common
from metrics.answering import Answering
from metrics.domain.periods import DAYS_PER_WEEK
from metrics.domain.windows import Window, day_of, ending
from metrics.members import member_interactions, require_member
from metrics.reading import Look, Reading
from metrics.retention import cohort_queries, parsing, queries, shaping
from metrics.retention.calibrations import Calibrations
from metrics.retention.domain.calibration import FORMULA_PROBABILITY
from metrics.retention.domain.forecast import forecast
from metrics.retention.domain.reliability import MAX_ORIGINS, judged, weeks_read
from metrics.retention.domain.retention import (
    FORMULA_RETENTION,
    FORMULA_SCORE,
    HISTORY_WEEKS,
    W_CURRENT,
    W_HISTORY,
    Engagement,
)
from metrics.shaping import fresh, window_message
from servicekit.policy import OPERATORS, Policies, Policy
from servicekit.times import stamp

DEFAULT_T_DAYS: Final = (1, 7, 30)
DEFAULT_ORIGINS: Final = 8
SEED: Final = 1
"""Of the panels that are drawn for intervals: the same question at the same data has the same answer."""
MEMBERS_READ: Final = ("activity", "registry")
COHORT_READS: Final = ("activity", "journeys", "orders", "registry")

POLICIES: Final[Policies] = {
    "GetRetention": Policy("query", OPERATORS, reads=("activity",)),
    "GetMemberRetention": Policy("query", OPERATORS, own="member_id", reads=MEMBERS_READ),
    "GetCohorts": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=COHORT_READS),
    "GetRetentionForecast": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=MEMBERS_READ),
    "GetCalibration": Policy("query", OPERATORS, reads=MEMBERS_READ),
}


class RetentionRpcs:
    """Who stays, and who is likely to."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._answering = Answering(look)
        self._calibrations = Calibrations()

    async def GetRetention(
        self, request: metrics_pb2.GetRetentionRequest, context: Any
    ) -> metrics_pb2.GetRetentionResponse:
        """L(t) = p^t over all days from the first active day to that of `as_of`."""
        as_of, asked = common.as_of(request), parsing.t_days(request) or DEFAULT_T_DAYS

        async def compute(reading: Reading) -> metrics_pb2.GetRetentionResponse:
            last_day = day_of(as_of, reading.zone)
            found = await queries.survival(reading, last_day)
            first_day = await queries.first_active_day(reading)
            window = Window(min(first_day or last_day, last_day), last_day, reading.zone)
            return metrics_pb2.GetRetentionResponse(
                formula=FORMULA_RETENTION,
                p=found.p,
                exposed=found.exposed,
                survived=found.survived,
                points=[metrics_pb2.RetentionPoint(t_days=t, l=found.retained(t)) for t in asked],
                window=window_message(window),
            )

        return await self._answering.answer(request, as_of, ("activity",), compute)

    async def GetMemberRetention(
        self, request: metrics_pb2.GetMemberRetentionRequest, context: Any
    ) -> metrics_pb2.GetMemberRetentionResponse:
        """A member's score and probability. Raises `NotFound` for an unknown member."""
        as_of, member_id = common.as_of(request), common.member_id(request)
        w_history = parsing.weight(request, "w_history", W_HISTORY)
        w_current = parsing.weight(request, "w_current", W_CURRENT)
        async with self._look() as reading:
            await require_member(reading, member_id)
            current = ending(day_of(as_of, reading.zone), DAYS_PER_WEEK, reading.zone)
            history = current.before(HISTORY_WEEKS * DAYS_PER_WEEK)
            counts = [await member_interactions(reading, member_id, one) for one in (history, current)]
            engagement = Engagement(*counts)
            tally = (await self._calibrations.get(reading, current)).of(engagement)
            freshness = await fresh(reading, *MEMBERS_READ)
        return metrics_pb2.GetMemberRetentionResponse(
            formula=FORMULA_SCORE,
            score=engagement.score(w_history, w_current),
            history=engagement.history,
            current=engagement.current,
            probability=tally.probability,
            probability_support=tally.situations,
            probability_formula=FORMULA_PROBABILITY,
            history_window=window_message(history),
            current_window=window_message(current),
            as_of=stamp(as_of),
            freshness=freshness,
        )

    async def GetCohorts(
        self, request: retention_pb2.GetCohortsRequest, context: Any
    ) -> retention_pb2.GetCohortsResponse:
        """Cohorts of members, from interval to interval."""
        as_of = common.as_of(request)

        async def compute(reading: Reading) -> retention_pb2.GetCohortsResponse:
            asked = parsing.cohorts(request, day_of(as_of, reading.zone), reading.zone)
            return shaping.cohorts(asked, await cohort_queries.counted(reading, asked))

        return await self._answering.answer(request, as_of, COHORT_READS, compute)

    async def GetRetentionForecast(
        self, request: retention_pb2.GetRetentionForecastRequest, context: Any
    ) -> retention_pb2.GetRetentionForecastResponse:
        """Survival as observed, and as three models project it."""
        as_of, fit, ahead = common.as_of(request), parsing.fit_periods(request), parsing.ahead_periods(request)

        async def compute(reading: Reading) -> retention_pb2.GetRetentionForecastResponse:
            asked = parsing.panel(request, day_of(as_of, reading.zone), reading.zone)
            survivors = await cohort_queries.panel(reading, asked, fit)
            found = await asyncio.to_thread(forecast, survivors, ahead, SEED)
            return retention_pb2.GetRetentionForecastResponse(
                **shaping.forecast_fields(found), window=window_message(asked.periods.window)
            )

        return await self._answering.answer(request, as_of, MEMBERS_READ, compute)

    async def GetCalibration(
        self, request: retention_pb2.GetCalibrationRequest, context: Any
    ) -> retention_pb2.GetCalibrationResponse:
        """How well the probability held in the past weeks."""
        as_of = common.as_of(request)
        origins = common.count(request, "weeks", most=MAX_ORIGINS, default=DEFAULT_ORIGINS)

        async def compute(reading: Reading) -> retention_pb2.GetCalibrationResponse:
            week = ending(day_of(as_of, reading.zone), DAYS_PER_WEEK, reading.zone)
            active = await queries.member_weeks(reading, week, weeks_read(origins))
            registered = await queries.registered_by_week(reading, week, weeks_read(origins))
            found = await asyncio.to_thread(judged, active, registered, origins)
            window = ending(week.last_day, DAYS_PER_WEEK * origins, week.zone)
            return retention_pb2.GetCalibrationResponse(
                **shaping.reliability_fields(found), window=window_message(window)
            )

        return await self._answering.answer(request, as_of, MEMBERS_READ, compute)
