"""Answers about retention as messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lyceum.metrics.v1 import retention_pb2
from metrics.domain.periods import first_day
from metrics.retention.cohort_queries import HOURS_OF, Asked
from metrics.retention.domain.cohorts import (
    CLOCK_WORDS,
    FORMULA_COHORTS,
    MEASURE_WORDS,
    START_WORDS,
    Cell,
    Counted,
    total,
)
from metrics.retention.domain.forecast import FORMULA_FORECAST, Forecast, Projected
from metrics.retention.domain.reliability import BINS, FORMULA_RELIABILITY, Reliability
from metrics.shaping import day_text, window_message


def definition(asked: Asked) -> str:
    """How the cells of these cohorts are computed."""
    period = asked.periods.period
    return FORMULA_COHORTS.format(
        start=START_WORDS[asked.start],
        clock=CLOCK_WORDS[asked.clock].format(period=period, hours=HOURS_OF.get(period)),
        measure=MEASURE_WORDS[asked.measure],
    )


def cohorts(asked: Asked, counted: Counted) -> retention_pb2.GetCohortsResponse:
    """The whole table."""
    numbers = range(asked.periods.first, asked.periods.last + 1)
    rows = [counted.cells(number, asked.brackets) for number in numbers]
    return retention_pb2.GetCohortsResponse(
        definition=definition(asked),
        cohorts=[_cohort(asked, number, counted, cells) for number, cells in zip(numbers, rows, strict=True)],
        total=[_cell(one) for one in total(rows)],
        start=asked.start,
        period=asked.periods.period,
        measure=asked.measure,
        clock=asked.clock,
        currency=asked.currency,
        window=window_message(asked.periods.window),
    )


def _cohort(asked: Asked, number: int, counted: Counted, cells: Sequence[Cell]) -> retention_pb2.Cohort:
    return retention_pb2.Cohort(
        first_day=day_text(first_day(number, asked.periods.period)),
        members=counted.members(number),
        cells=[_cell(one) for one in cells],
    )


def _cell(one: Cell) -> retention_pb2.CohortCell:
    return retention_pb2.CohortCell(
        first_interval=one.bracket.first,
        last_interval=one.bracket.last,
        eligible=one.eligible,
        retained=one.retained,
        rate=one.rate,
        learners=one.learners,
        payers=one.money.payers,
        revenue_minor=one.money.revenue_minor,
    )


def forecast_fields(found: Forecast) -> dict[str, Any]:
    """The panel, its observed shares, and the models."""
    members = found.survivors[0]
    return {
        "definition": FORMULA_FORECAST,
        "members": members,
        "observed": [count / members for count in found.survivors] if members else [],
        "models": [_model(one) for one in found.models.values()],
        "chosen": found.chosen,
    }


def _model(one: Projected) -> retention_pb2.SurvivalModel:
    return retention_pb2.SurvivalModel(
        model=one.fitted.model,
        parameters=one.fitted.parameters,
        log_likelihood=one.fitted.log_likelihood,
        error_percent=one.error_percent,
        shares=[
            retention_pb2.ProjectedShare(interval=at, share=share, low=low, high=high)
            for at, (share, low, high) in enumerate(one.shares)
        ],
    )


def reliability_fields(found: Reliability) -> dict[str, Any]:
    """The bins and scores."""
    return {
        "definition": FORMULA_RELIABILITY,
        "bins": [
            retention_pb2.CalibrationBin(
                **{"from": one.at / BINS},
                to=(one.at + 1) / BINS,
                situations=one.situations,
                predicted=one.predicted,
                observed=one.observed,
            )
            for one in found.bins
        ],
        "brier": found.brier,
        "brier_of_base_rate": found.brier_of_base_rate,
        "situations": found.situations,
    }
