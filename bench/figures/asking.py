"""Every question of the dashboard, as an operator and as creators ask it."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from bench.figures.community import NOW, Community, creator, member
from lyceum.metrics.v1 import activity_pb2 as activity
from lyceum.metrics.v1 import conversion_pb2 as conversion
from lyceum.metrics.v1 import metrics_pb2 as pb
from lyceum.metrics.v1 import quality_pb2 as quality
from lyceum.metrics.v1 import retention_pb2 as retention
from lyceum.metrics.v1 import revenue_pb2 as revenue
from servicekit.caller import Caller
from servicekit.testing import House

ADMIN = Caller("admin", "admin", "session")
OF_ALL: tuple[type[Any], ...] = (
    pb.GetOverviewRequest,
    pb.GetActivityRequest,
    pb.GetRetentionRequest,
    pb.GetRevenueRequest,
)
OF_BOTH: tuple[type[Any], ...] = (
    activity.GetActivityTrendRequest,
    activity.GetActivityBreakdownRequest,
    retention.GetCohortsRequest,
    retention.GetRetentionForecastRequest,
    revenue.GetRevenueTrendRequest,
    revenue.GetRevenueForecastRequest,
    revenue.GetBuyingForecastRequest,
    conversion.GetFunnelRequest,
    conversion.GetAttributionRequest,
    quality.GetContentQualityRequest,
)


COLD: Final = 20
"""Days back from now: each is another question, which nobody has asked before."""


class Took(NamedTuple):
    """How long the answers to one question took: when it was asked for the first time (as of another day each), and
    asked again while nothing changed."""

    name: str
    first_p50_ms: float
    first_most_ms: float
    p50_ms: float
    p99_ms: float


async def measured(house: House, community: Community, calls: int) -> list[Took]:
    """Each question, `calls` times, of creators in turn and of everybody."""
    house.now = NOW
    draw = random.Random(1)
    found = [await _asked(house, f"{_name(one)}, all", one, calls) for one in (*OF_ALL, *OF_BOTH)]
    for one in OF_BOTH:
        found.append(await _asked(house, f"{_name(one)}, creator", _of_creator(one, draw), calls))
    for one in (pb.GetMemberActivityRequest, pb.GetMemberRetentionRequest):
        found.append(await _asked(house, _name(one), _of_member(one, draw, community), calls))
    return found


def _of_creator(request: type[Any], draw: random.Random) -> Callable[[], Any]:
    return lambda: request(creator_id=creator(draw.randrange(1_000)))


def _of_member(request: type[Any], draw: random.Random, community: Community) -> Callable[[], Any]:
    return lambda: request(member_id=member(draw.randrange(community.members)))


def _name(request: type[Any]) -> str:
    return request.__name__.removeprefix("Get").removesuffix("Request")


async def _asked(house: House, name: str, make: Callable[[], Any], calls: int) -> Took:
    first = [await _took(house, make(), NOW - timedelta(days=back)) for back in range(1, COLD + 1)]
    again = [await _took(house, make(), NOW) for _ in range(calls)]
    print(f"{name}: {statistics.median(first):.1f}, {statistics.median(again):.1f} ms", file=sys.stderr, flush=True)
    p99 = sorted(again)[min(calls - 1, calls * 99 // 100)]
    return Took(name, statistics.median(first), max(first), statistics.median(again), p99)


async def _took(house: House, request: Any, as_of: datetime) -> float:
    """Milliseconds."""
    request.as_of.FromDatetime(as_of)
    began = time.perf_counter()
    await house.call(request, ADMIN)
    return (time.perf_counter() - began) * 1000
