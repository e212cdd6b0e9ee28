"""Payments over gRPC: members begin them, providers report them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NoReturn

import grpc

from billing import fields
from billing.commands import command_of
from billing.payment.application import Paying
from billing.payment.provider import ProviderUnavailable
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit.call import current_call
from servicekit.policy import Policies, Policy

POLICIES: Final[Policies] = {
    "StartPayment": Policy("command", idempotent=True),
    # A callback is believed for its provider's signature.
    "HandleProviderCallback": Policy("provider", anyone=True),
}


class PaymentRpcs:
    """Begin a payment, take a callback."""

    def __init__(self, paying: Paying) -> None:
        self._paying = paying

    async def StartPayment(self, request: pb.StartPaymentRequest, context: Any) -> pb.StartPaymentResponse:
        call = current_call()
        member_id = call.require_caller().member_id
        order_id = fields.identifier(request.order_id, "order_id")
        started = await self._paying.start(member_id, order_id, request.provider, command_of(call, request))
        pay_url = await self._paying.ask_provider(started)
        return pb.StartPaymentResponse(
            payment_id=started.intent.payment_id,
            merchant_number=started.merchant_number,
            pay_url=pay_url,
            consistency_token=await call.recorded(started.handled.position),
        )

    async def HandleProviderCallback(
        self, request: pb.HandleProviderCallbackRequest, context: Any
    ) -> pb.HandleProviderCallbackResponse:
        call = current_call()
        recorded_by = replace(call.context(), actor=f"provider:{request.provider[:32]}")
        try:
            handled = await self._paying.take_callback(
                request.provider, call.metadata, request.payload.data, call.now, recorded_by
            )
        except ProviderUnavailable:
            await _unavailable(context)
        if handled is not None:
            await call.recorded(handled.position)
        return pb.HandleProviderCallbackResponse(code=self._paying.provider(request.provider).answer)


async def _unavailable(context: Any) -> NoReturn:
    """The provider will send its callback again."""
    await context.abort(grpc.StatusCode.UNAVAILABLE, "the callback cannot be verified now")
    raise AssertionError("abort raises")
