"""The service's edge: who may ask, what is refused by which field, and what every answer says about itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from psycopg_pool import AsyncConnectionPool

from eventfold import Pool
from eventfold.errors import DomainError, InvalidInput, NotPermitted, Unauthenticated
from lyceum.metrics.v1 import metrics_pb2
from metrics.adapters.figures_memory import MemoryFigures
from metrics.entrypoints.policies import POLICIES, SERVICE
from metrics.entrypoints.servicer import MetricsServicer
from metrics.projections.activity import DayRow
from metrics.projections.orders import OrderRow
from metrics.projections.registry import ContentRow, MemberRow
from servicekit.call import Call, enter_call
from servicekit.caller import Caller
from servicekit.policy import guarded
from servicekit.reading import ReadGate

NOW = datetime(2026, 3, 10, 20, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 3, 11)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def servicer() -> MetricsServicer:
    figures = MemoryFigures(
        days=[DayRow("m1", TODAY, views=2, purchases=1)],
        members=[MemberRow("m1", "consumer", LONG_AGO)],
        contents=[ContentRow("c1", LONG_AGO)],
        orders=[OrderRow("o1", "m1", 700, "CNY", LONG_AGO, NOW)],
    )

    @contextlib.asynccontextmanager
    async def look() -> AsyncIterator[MemoryFigures]:
        yield figures

    never_opened: Pool = AsyncConnectionPool("", open=False)  # a call without a token needs no connection
    admitting: MetricsServicer = guarded(
        SERVICE, [(MetricsServicer(look, SHANGHAI), POLICIES)], ReadGate(never_opened, {}, {})
    )
    return admitting


def called_by(role: str | None, member_id: str = "someone") -> None:
    caller = None if role is None else Caller(member_id, role, "session")
    enter_call(Call("rpc", {}, caller, NOW, "metrics", b"", None))  # type: ignore[arg-type]


async def test_every_question_needs_a_caller(servicer: MetricsServicer) -> None:
    called_by(None)
    with pytest.raises(Unauthenticated):
        await servicer.GetOverview(metrics_pb2.GetOverviewRequest(), None)


async def test_a_consumer_may_ask_for_its_own_figures_only(servicer: MetricsServicer) -> None:
    called_by("consumer", "m1")
    own = await servicer.GetMemberActivity(metrics_pb2.GetMemberActivityRequest(member_id="m1"), None)
    assert own.interactions == 2
    for request in (metrics_pb2.GetMemberRetentionRequest(member_id="m2"),):
        with pytest.raises(NotPermitted):
            await servicer.GetMemberRetention(request, None)
    with pytest.raises(NotPermitted):
        await servicer.GetRevenue(metrics_pb2.GetRevenueRequest(), None)


@pytest.mark.parametrize(
    ("rpc", "request_message", "field"),
    [
        ("GetRetention", metrics_pb2.GetRetentionRequest(t_days=[1, 0]), "t_days"),
        ("GetRetention", metrics_pb2.GetRetentionRequest(t_days=[1] * 101), "t_days"),
        ("GetActivity", metrics_pb2.GetActivityRequest(window_days=-1), "window_days"),
        ("GetActivity", metrics_pb2.GetActivityRequest(window_days=3661), "window_days"),
        ("GetMemberActivity", metrics_pb2.GetMemberActivityRequest(), "member_id"),
        ("GetMemberRetention", metrics_pb2.GetMemberRetentionRequest(member_id="m1", w_history=-1), "w_history"),
        (
            "GetMemberRetention",
            metrics_pb2.GetMemberRetentionRequest(member_id="m1", w_current=float("nan")),
            "w_current",
        ),
        ("GetRevenue", metrics_pb2.GetRevenueRequest(currency="yuan"), "currency"),
        ("GetOverview", metrics_pb2.GetOverviewRequest(as_of=Timestamp(seconds=-3_000_000_000)), "as_of"),
    ],
)
async def test_bad_input_is_refused_by_its_field(
    servicer: MetricsServicer, rpc: str, request_message: Any, field: str
) -> None:
    called_by("auditor")
    with pytest.raises(InvalidInput) as refused:
        await getattr(servicer, rpc)(request_message, None)
    assert refused.value.field == field


async def test_an_unknown_member_is_named_by_field_and_id(servicer: MetricsServicer) -> None:
    called_by("auditor")
    with pytest.raises(DomainError) as refused:
        await servicer.GetMemberActivity(metrics_pb2.GetMemberActivityRequest(member_id="nobody"), None)
    assert (refused.value.code, refused.value.ids) == ("NOT_FOUND", {"member_id": "nobody"})


async def test_an_answer_says_its_window_zone_moment_and_formula(servicer: MetricsServicer) -> None:
    called_by("auditor")
    found = MessageToDict(await servicer.GetActivity(metrics_pb2.GetActivityRequest(window_days=7), None))
    assert found["window"] == {
        "from": "2026-03-04T16:00:00Z",
        "to": "2026-03-11T16:00:00Z",
        "days": 7,
        "timeZone": "Asia/Shanghai",
    }
    assert found["asOf"] == "2026-03-10T20:00:00Z" and found["formula"].startswith("A(t) = sum(I_i(t))/n")
    assert found["weights"]["complete"] == 4.0


async def test_revenue_is_in_yuan_and_of_all_time_unless_asked_otherwise(servicer: MetricsServicer) -> None:
    called_by("auditor")
    found = await servicer.GetRevenue(metrics_pb2.GetRevenueRequest(), None)
    assert (found.revenue_minor, found.currency, found.mean_spend_fraction) == (700, "CNY", "700")
    assert (await servicer.GetRevenue(metrics_pb2.GetRevenueRequest(currency="USD"), None)).revenue_minor == 0


async def test_weights_of_the_score_may_be_given_even_as_0(servicer: MetricsServicer) -> None:
    called_by("auditor")
    request = metrics_pb2.GetMemberRetentionRequest(member_id="m1", w_current=0.0)
    assert (await servicer.GetMemberRetention(request, None)).score == 0.0
    request.w_current = 0.2
    found = await servicer.GetMemberRetention(request, None)
    assert (found.score, found.current, found.probability) == (0.4, 2.0, 0.5)


async def test_retention_points_default_to_a_day_a_week_and_a_month(servicer: MetricsServicer) -> None:
    called_by("auditor")
    found = await servicer.GetRetention(metrics_pb2.GetRetentionRequest(), None)
    assert [point.t_days for point in found.points] == [1, 7, 30]
