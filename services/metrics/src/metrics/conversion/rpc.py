"""Funnel and attribution over gRPC. Each answer is computed from one snapshot, and states its definition, window and
freshness."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from lyceum.metrics.v1 import conversion_pb2
from metrics import parsing
from metrics.answering import Answering
from metrics.conversion import queries
from metrics.conversion.domain import FORMULA_ATTRIBUTION, FORMULA_FUNNEL, Step, from_previous, share
from metrics.domain.windows import day_of, ending
from metrics.reading import Look, Reading
from metrics.scope import Scope
from metrics.shaping import window_message
from servicekit.policy import OPERATORS, Policies, Policy

DEFAULT_WINDOW_DAYS: Final = 30
MAX_STEPS_DAYS, DEFAULT_STEPS_DAYS = 366, 30
MAX_ATTRIBUTED_DAYS: Final = 366
MAX_OWED_DAYS, DEFAULT_OWED_DAYS = 30, 7
FUNNEL_READS: Final = ("journeys", "registry")
ATTRIBUTION_READS: Final = ("impressions", "journeys", "orders", "registry")

POLICIES: Final[Policies] = {
    "GetFunnel": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=FUNNEL_READS),
    "GetAttribution": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=ATTRIBUTION_READS),
}


class ConversionRpcs:
    """How members come to content, and what leads them."""

    def __init__(self, look: Look) -> None:
        self._answering = Answering(look)

    async def GetFunnel(
        self, request: conversion_pb2.GetFunnelRequest, context: Any
    ) -> conversion_pb2.GetFunnelResponse:
        """View, quote, paid, complete."""
        as_of, scope = parsing.as_of(request), parsing.scope(request)
        days = parsing.count(request, "window_days", most=parsing.MAX_WINDOW_DAYS, default=DEFAULT_WINDOW_DAYS)
        within = parsing.count(request, "within_days", most=MAX_STEPS_DAYS, default=DEFAULT_STEPS_DAYS)

        async def compute(reading: Reading) -> conversion_pb2.GetFunnelResponse:
            window = ending(day_of(as_of, reading.zone), days, reading.zone)
            steps, still_open = await queries.funnel(reading, window, scope, timedelta(days=within))
            return conversion_pb2.GetFunnelResponse(
                definition=FORMULA_FUNNEL,
                steps=[_step(steps, at) for at in range(len(steps))],
                open=still_open,
                window=window_message(window),
            )

        return await self._answering.answer(request, as_of, FUNNEL_READS, compute)

    async def GetAttribution(
        self, request: conversion_pb2.GetAttributionRequest, context: Any
    ) -> conversion_pb2.GetAttributionResponse:
        """What views and orders are owed to."""
        as_of, currency, scope = parsing.as_of(request), parsing.currency(request), Scope(parsing.creator_id(request))
        days = parsing.count(request, "window_days", most=MAX_ATTRIBUTED_DAYS, default=DEFAULT_WINDOW_DAYS)
        within = timedelta(days=parsing.count(request, "within_days", most=MAX_OWED_DAYS, default=DEFAULT_OWED_DAYS))

        async def compute(reading: Reading) -> conversion_pb2.GetAttributionResponse:
            window = ending(day_of(as_of, reading.zone), days, reading.zone)
            slots = await queries.slots(reading, window, scope, within, currency)
            promotions = await queries.promotions(reading, window, scope, currency)
            return conversion_pb2.GetAttributionResponse(
                definition=FORMULA_ATTRIBUTION,
                slots=[conversion_pb2.SlotShare(**one._asdict()) for one in slots],
                promotions=[conversion_pb2.PromotionShare(**one._asdict()) for one in promotions],
                currency=currency,
                window=window_message(window),
            )

        return await self._answering.answer(request, as_of, ATTRIBUTION_READS, compute)


def _step(steps: Sequence[Step], at: int) -> conversion_pb2.FunnelStep:
    one = steps[at]
    return conversion_pb2.FunnelStep(
        step=one.name,
        pairs=one.pairs,
        members=one.members,
        from_previous=from_previous(steps, at),
        from_first=share(one.pairs, steps[0].pairs),
    )
