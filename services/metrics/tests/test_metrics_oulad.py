"""Figures of real learners against the oracle, in a zone whose clocks change twice a year."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import metrics_oulad
import pytest
from metrics_house import metrics_house
from metrics_oracle import Events, Oracle

from lyceum.metrics.v1 import activity_pb2, quality_pb2, retention_pb2

LONDON = ZoneInfo("Europe/London")
AS_OF = (datetime(2014, 3, 31, 12, tzinfo=UTC), datetime(2013, 10, 28, 12, tzinfo=UTC))
COUNTS = ("active", "new_members", "returning", "resurrecting", "dormant", "interactions", "monthly_active")
MEMBERS_OF_AAA_2013J = 383


@pytest.mark.skipif(not metrics_oulad.present(), reason="the data set is not here: OULAD=folder names it")
async def test_figures_of_real_learners(postgres_url: str, tmp_path: Path) -> None:
    facts = metrics_oulad.facts("AAA", "2013J")
    events = Events(facts, LONDON)
    async with metrics_house(postgres_url, tmp_path, LONDON) as house:
        house.now = datetime(2014, 9, 1, tzinfo=UTC)
        await house.hear(facts)
        for as_of in AS_OF:
            oracle = Oracle(events, as_of)

            async def ask(request: Any, at: datetime = as_of) -> dict[str, Any]:
                request.as_of.FromDatetime(at)
                return await house.asked(request)

            for period in ("day", "week", "month"):
                found = await ask(activity_pb2.GetActivityTrendRequest(period=period, periods=20))
                told = [{name: int(one[name]) for name in COUNTS} for one in found["periods"]]
                assert told == [{name: one[name] for name in COUNTS} for one in oracle.trend(period, 20)]
            for measure, clock in (("bounded", "member"), ("unbounded", "calendar"), ("rolling", "member")):
                asked = retention_pb2.GetCohortsRequest(measure=measure, clock=clock, cohorts=30, intervals=10)
                found = await ask(asked)
                brackets = [(n, n) for n in range(10)]
                expected = oracle.cohorts("registered", "week", measure, clock, 30, brackets)
                assert [_cohort(one) for one in found["cohorts"]] == expected
            found = await ask(quality_pb2.GetContentQualityRequest(order="completion"))
            quality = oracle.quality(10.0)
            assert {one["content_id"]: int(one["completed"]) for one in found["contents"]} == {
                content: one[1] for content, one in quality.items()
            }
        panel = retention_pb2.GetRetentionForecastRequest(period="week", start="registered", fit_periods=12)
        panel.as_of.FromDatetime(AS_OF[0])
        forecast = await house.asked(panel)
        survivors = Oracle(events, AS_OF[0]).panel("registered", "week", 12)
        assert int(forecast["members"]) == survivors[0] > MEMBERS_OF_AAA_2013J // 2
        assert forecast["observed"] == [one / survivors[0] for one in survivors]
        assert forecast["chosen"] in {model["model"] for model in forecast["models"]}


def _cohort(one: dict[str, Any]) -> dict[str, Any]:
    counts = ("eligible", "retained", "learners", "payers")
    cells = [cell | {name: int(cell[name]) for name in counts} for cell in one["cells"]]
    return {"first_day": one["first_day"], "members": int(one["members"]), "cells": cells}
