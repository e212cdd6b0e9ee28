"""Prices, promotions and quotes over gRPC."""

from __future__ import annotations

import uuid
from typing import Any, Final

from billing import fields
from billing.commands import command_of
from billing.pricing import parsing, shaping
from billing.pricing.application import Pricing
from billing.pricing.projections import CONTENT_OWNERS, PRODUCT_PRICES
from billing.pricing.queries import Prices
from eventfold.errors import NotFound
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit.call import Call, current_call
from servicekit.imports import IMPORTER
from servicekit.policy import Policies, Policy

SELLERS: Final = ("creator", "admin")

POLICIES: Final[Policies] = {
    "PriceProduct": Policy("command", (*SELLERS, IMPORTER), reads=(CONTENT_OWNERS.name,), idempotent=True),
    "GetProduct": Policy("query", anyone=True, reads=(PRODUCT_PRICES.name,)),
    "SchedulePromotion": Policy("command", SELLERS, reads=(CONTENT_OWNERS.name,), idempotent=True),
    "CreateQuote": Policy("query", reads=(CONTENT_OWNERS.name,)),
}


class PricingRpcs:
    """Price, announce, quote."""

    def __init__(self, pricing: Pricing, prices: Prices) -> None:
        self._pricing = pricing
        self._prices = prices

    async def PriceProduct(self, request: pb.PriceProductRequest, context: Any) -> pb.PriceProductResponse:
        call = current_call()
        wanted = parsing.product(request, await self._seller(call, request.product_id))
        handled = await self._pricing.price(wanted, command_of(call, request))
        return pb.PriceProductResponse(**handled.answer, consistency_token=await call.recorded(handled.position))

    async def GetProduct(self, request: pb.GetProductRequest, context: Any) -> pb.GetProductResponse:
        product_id = fields.identifier(request.product_id, "product_id")
        row = await self._prices.of(product_id)
        if row is None:
            raise NotFound("there is no such product", field="product_id")
        return shaping.product(row)

    async def SchedulePromotion(
        self, request: pb.SchedulePromotionRequest, context: Any
    ) -> pb.SchedulePromotionResponse:
        call = current_call()
        wanted = parsing.promotion(request, call.require_caller().member_id)
        handled = await self._pricing.schedule(wanted, command_of(call, request))
        return pb.SchedulePromotionResponse(**handled.answer, consistency_token=await call.recorded(handled.position))

    async def CreateQuote(self, request: pb.CreateQuoteRequest, context: Any) -> pb.CreateQuoteResponse:
        call = current_call()
        member_id = call.require_caller().member_id
        signed = await self._pricing.quote(str(uuid.uuid4()), member_id, parsing.wish(request), call.now)
        return pb.CreateQuoteResponse(quote=shaping.quote(signed))

    async def _seller(self, call: Call, product_id: str) -> str:
        """Whose product it is: the caller's, or for an importer that of whoever it belongs to."""
        caller = call.require_caller()
        if caller.role in SELLERS:
            return caller.member_id
        return await self._pricing.owner(fields.identifier(product_id, "product_id"))
