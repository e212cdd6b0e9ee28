"""Asks the running services, through the gateway, for all figures that the oracle computes too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from lyceum_cli.gateway import Gateway
from lyceum_cli.importing.rows import instant
from lyceum_demo import community as made
from lyceum_demo.ids import imported_id

RETENTION_DAYS: Final = (7, 30)
ACTIVITY_DAYS: Final = 365
TOP: Final = 5
KINDS: Final = ("view", "like", "comment", "share", "rate", "complete")

Figures = dict[str, Any]
"""Figures nested by subject; the oracle prints the same shape."""


async def ask(gateway: Gateway, dataset: str, as_of: datetime, members: Sequence[int]) -> Figures:
    """All figures as of `as_of`, except the ledger, which covers everything."""
    moment = {"as_of": instant(as_of)}
    overview = (await gateway.get("/v1/metrics/overview", moment)).body
    retention = (await gateway.get("/v1/metrics/retention", {**moment, "t_days": RETENTION_DAYS})).body
    activity = (await gateway.get("/v1/metrics/activity", {**moment, "window_days": ACTIVITY_DAYS})).body
    revenue = (await gateway.get("/v1/metrics/revenue", {**moment, "currency": made.CURRENCY})).body
    recommended = {str(one): await _recommended(gateway, dataset, moment, one) for one in members}
    return {
        "overview": _overview(overview),
        "ledger": _ledger((await gateway.get("/v1/ledger/trial-balance")).body),
        "recommendations": recommended,
        "retention": _retention(retention),
        "activity": _activity(activity),
        "revenue": _revenue(revenue),
    }


async def _recommended(gateway: Gateway, dataset: str, moment: Mapping[str, str], member: int) -> list[Figures]:
    """By the method whose answer the oracle computes, too."""
    query: dict[str, str | int] = {**moment, **_for(dataset, member), "method": "items"}
    answer = await gateway.get("/v1/recommendations", query)
    return [{name: item[name] for name in ("content_id", "title", "score", "reason")} for item in answer.body["items"]]


async def learned(gateway: Gateway, dataset: str, members: Sequence[int]) -> list[tuple[str, Figures]]:
    """What the learned model recommends to each member now, with its reasons; no oracle can tell the same."""
    found = []
    for member in members:
        answer = await gateway.get("/v1/recommendations", {**_for(dataset, member), "method": "hybrid"})
        found += [(str(member), dict(item)) for item in answer.body["items"]]
    return found


def _for(dataset: str, member: int) -> dict[str, str | int]:
    return {"member_id": imported_id("member", dataset, str(member)), "limit": TOP}


def _overview(body: Mapping[str, Any]) -> Figures:
    counted = {kind: int(body["interactions"].get(kind, 0)) for kind in KINDS}
    return {**{name: int(body[name]) for name in ("members", "contents", "orders_placed", "orders_paid")}, **counted}


def _ledger(body: Mapping[str, Any]) -> Figures:
    """Sums by kind of account; all creators' accounts are summed together."""
    found: dict[str, Figures] = {}
    for line in body["lines"]:
        account = "creator_payable" if line["account"].startswith("creator_payable:") else line["account"]
        sums = found.setdefault(f"{account} {line['currency']}", {"debit_minor": 0, "credit_minor": 0, "postings": 0})
        for name in sums:
            sums[name] += int(line[name])
    totals = {f"total {one['currency']}": {"sum_minor": int(one["sum_minor"])} for one in body["totals"]}
    return {**found, **totals}


def _retention(body: Mapping[str, Any]) -> Figures:
    points = {f"L({point['t_days']})": float(point["l"]) for point in body["points"]}
    return {"exposed": int(body["exposed"]), "survived": int(body["survived"]), "p": float(body["p"]), **points}


def _activity(body: Mapping[str, Any]) -> Figures:
    counts = {name: int(body[name]) for name in ("interactions", "members")}
    return {**counts, **{name: float(body[name]) for name in ("activity", "activity_per_day", "weighted_activity")}}


def _revenue(body: Mapping[str, Any]) -> Figures:
    counts = {name: int(body[name]) for name in ("members", "payers", "revenue_minor")}
    rates = {name: float(body[name]) for name in ("mean_spend_minor", "conversion")}
    return {**counts, **rates, "mean_spend_fraction": body["mean_spend_fraction"]}
