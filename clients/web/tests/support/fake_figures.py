"""Answers of the metrics that panels of content ask for, of a community of any size, and of none at all."""

from __future__ import annotations

from typing import Any

AS_OF = "2026-03-31T12:00:00Z"
DEFINITION = "a definition"
WEEKS = 3


def window(days: int = 30, zone: str = "Asia/Shanghai") -> dict[str, Any]:
    """30 days to 31 March in Shanghai, as answers tell it."""
    return {"from": "2026-03-01T16:00:00Z", "to": "2026-03-31T16:00:00Z", "days": days, "time_zone": zone}


def fresh() -> dict[str, Any]:
    source = {"topic": "t", "partition": 0, "sequence": "0", "applied_at": "2026-03-31T11:59:00Z"}
    return {"sources": [{"projection": "activity", **source}, {"projection": "registry", **source}]}


def told(**figures: Any) -> dict[str, Any]:
    return {"definition": DEFINITION, "window": window(), "as_of": AS_OF, "freshness": fresh(), **figures}


def figures(members: int, payers: int, events: int) -> dict[str, dict[str, Any]]:
    """By the path of the question."""
    return {
        "/v1/metrics/activity/trend": told(periods=[_day(day, members if events else 0) for day in (30, 31)]),
        "/v1/metrics/cohorts": _cohorts(members if events else 0, payers),
        "/v1/metrics/retention/forecast": _forecast(members if events else 0),
        "/v1/metrics/retention/calibration": _calibration(members),
        "/v1/metrics/revenue/trend": _earned(members, payers),
        "/v1/metrics/revenue/forecast": _outlook(members, payers),
        "/v1/metrics/revenue/buying": _buying(payers),
        "/v1/metrics/funnel": _funnel(members if events else 0, payers),
        "/v1/metrics/attribution": _attribution(payers),
        "/v1/metrics/contents/quality": _quality(members if events else 0),
        "/v1/metrics/releases/benchmark": _benchmark(members),
        "/v1/metrics/releases/budget": {"budgets": [_budget()] if members else [], "next_page_token": ""},
        "/v1/metrics/restatements": told(restatements=[_restated()] if events else []),
    }


def _day(day: int, active: int) -> dict[str, Any]:
    return {
        "first_day": f"2026-03-{day}",
        "last_day": f"2026-03-{day}",
        "closed": day == 30,
        **dict.fromkeys(("active", "weekly_active", "monthly_active", "returning", "interactions"), str(active)),
        **dict.fromkeys(("new_members", "resurrecting", "dormant"), "0"),
        "frequency": 1.0 if active else 0.0,
        "weighted": 1.0 if active else 0.0,
        "stickiness": 1.0 if active else 0.0,
    }


def _cohorts(members: int, payers: int) -> dict[str, Any]:
    cells = [_cell(week, members, payers) for week in range(WEEKS)] if members else []
    cohorts = [{"first_day": "2026-03-09", "members": str(members), "cells": cells}]
    empty = {"first_day": "2026-03-16", "members": "0", "cells": []}
    return told(cohorts=[*cohorts, empty], total=cells, currency="CNY")


def _cell(week: int, members: int, payers: int) -> dict[str, Any]:
    return {
        "first_interval": week,
        "last_interval": week,
        "eligible": str(members),
        "retained": str(members // (week + 1)),
        "rate": 1 / (week + 1),
        "learners": str(members // 2),
        "payers": str(payers),
        "revenue_minor": str(payers * 10_000),
    }


def _forecast(members: int) -> dict[str, Any]:
    if members < 20:
        return told(members=str(members), observed=[], models=[], chosen="")
    shares = [{"interval": at, "share": 0.5**at, "low": 0.4**at, "high": 0.6**at} for at in range(4)]
    models = [
        {"model": name, "parameters": {"p": 0.5}, "log_likelihood": -1.0, "error_percent": error, "shares": shares}
        for name, error in (("pt", 9.0), ("sbg", 2.5), ("bdw", None))
    ]
    told_models = [{key: value for key, value in one.items() if value is not None} for one in models]
    return told(members=str(members), observed=[1.0, 0.5, 0.25], models=told_models, chosen="sbg")


def _calibration(members: int) -> dict[str, Any]:
    bins = [{"from": 0.9, "to": 1.0, "situations": str(members), "predicted": 0.95, "observed": 0.9}]
    return told(bins=bins if members else [], brier=0.05, brier_of_base_rate=0.2, situations=str(members))


def _earned(members: int, payers: int) -> dict[str, Any]:
    def earned(day: str, count: int) -> dict[str, Any]:
        return {
            "first_day": day,
            "last_day": day,
            "closed": True,
            "orders": str(count),
            "payers": str(count),
            "gross_minor": str(count * 12_000),
            "discount_minor": str(count * 2_000),
            "charged_minor": str(count * 10_000),
            "commission_minor": str(count * 1_500),
            "net_minor": str(count * 8_500),
            "members": str(members),
            "per_member_minor": count * 10_000 / members if members else 0.0,
            "per_payer_minor": 10_000.0 if count else 0.0,
        }

    return told(
        periods=[earned("2026-03-30", 0), earned("2026-03-31", payers)],
        total=earned("2026-03-30", payers),
        period="day",
        currency="CNY",
    )


def _outlook(members: int, payers: int) -> dict[str, Any]:
    trial = {
        "first_day": "2026-03-02",
        "last_day": "2026-03-31",
        "forecast_minor": payers * 9_000.0,
        "low_minor": payers * 8_000.0,
        "high_minor": payers * 12_000.0,
        "revenue_minor": str(payers * 10_000),
    }
    known = {"coverage": 1.0, "error_percent": 10.0} if payers else {}
    return told(
        revenue_minor=payers * 10_000.0,
        low_minor=payers * 9_000.0,
        high_minor=payers * 11_000.0,
        members=str(members),
        mean_spend_minor=10_000.0,
        conversion=0.1,
        trials=[trial] if members else [],
        currency="CNY",
        **known,
    )


def _buying(payers: int) -> dict[str, Any]:
    held_out = {
        "purchases": str(payers),
        "expected_purchases": payers * 1.1,
        "naive_purchases": payers * 1.6,
        "revenue_minor": str(payers * 10_000),
        "expected_revenue_minor": payers * 11_000.0,
        "naive_revenue_minor": payers * 16_000.0,
    }
    fitted = payers >= 20
    return told(
        buyers=str(payers),
        parameters={"r": 0.25} if fitted else {},
        log_likelihood=-1.0,
        expected_purchases=payers * 1.5,
        expected_revenue_minor=payers * 15_000.0,
        naive_revenue_minor=payers * 24_000.0,
        value_per_buyer_minor=25_000.0,
        currency="CNY",
        **({"held_out": held_out} if fitted else {}),
    )


def _funnel(viewed: int, paid: int) -> dict[str, Any]:
    counts = {"viewed": viewed, "quoted": paid, "paid": paid, "completed": paid // 2}
    before = [viewed, *counts.values()]
    steps = [
        {
            "step": name,
            "pairs": str(count),
            "members": str(count),
            "from_previous": count / previous if previous else 0.0,
            "from_first": count / viewed if viewed else 0.0,
        }
        for (name, count), previous in zip(counts.items(), before, strict=False)
    ]
    return told(steps=steps, open="1" if viewed else "0")


def _attribution(payers: int) -> dict[str, Any]:
    def slot(name: str, method: str, shown: int) -> dict[str, Any]:
        counts = {"shown": str(shown), "opened": str(payers), "paid": str(payers), "charged_minor": str(payers * 100)}
        return {"slot": name, "method": method, **counts}

    def promotion(key: str, name: str) -> dict[str, Any]:
        money = {"charged_minor": str(payers * 100), "discount_minor": str(payers if key else 0)}
        return {"promotion_id": key, "name": name, "paid": str(payers), "payers": str(payers), **money}

    slots = [slot("", "", 0), slot("home", "hybrid", payers * 9)]
    promotions = [promotion("", ""), promotion("p1", "=HYPERLINK(1)")]
    return told(slots=slots if payers else [], promotions=promotions if payers else [], currency="CNY")


def _quality(viewers: int) -> dict[str, Any]:
    content = {
        "content_id": "c1",
        "title": "<b>Tea</b>",
        "viewers": str(viewers),
        "completed": str(viewers // 2),
        "completion": 0.5,
        "ratings": str(viewers),
        "mean_rating": 4.5,
        "bayesian_rating": 4.25,
    }
    return told(contents=[content] if viewers else [], prior_mean=4.0 if viewers else 0.0, prior_ratings=10.0)


def _restated() -> dict[str, Any]:
    at = {"first_recorded_at": AS_OF, "last_recorded_at": AS_OF}
    return {
        "day": "2026-03-02",
        "seen_on": "2026-03-05",
        "reason": "import",
        "interactions": "3",
        "purchases": "1",
        **at,
    }


def _benchmark(members: int) -> dict[str, Any]:
    figures = [
        {"name": "active_members_per_creator", "partition": "", "value": 41.5, "error": 2.5, "formula": "a / b"},
        {"name": "active_members", "partition": "", "value": 415.0, "error": 25.0, "formula": ""},
        {"name": "conversion", "partition": "", "value": 0.1, "error": 0.05, "formula": "a / b"},
    ]
    suppressed = members < 100
    release = {
        "figures": [] if suppressed else figures,
        "suppressed": suppressed,
        "suppressed_under_members": 100,
        "guarantee": "a promise",
        "made_at": AS_OF,
    }
    return {"release": release, "window": window(28)}


def _budget() -> dict[str, Any]:
    return {
        "owner": "platform",
        "period": "2026-03",
        "accounting": "pure",
        "granted": 8.0,
        "spent": 2.0,
        "left": 6.0,
        "releases": "4",
        "epsilon": 2.0,
        "delta": 1e-06,
        "conversion": "epsilons add up",
    }
