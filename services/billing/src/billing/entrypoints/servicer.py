"""BillingService over gRPC: parse, decide or read, shape."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message

from billing.adapters.queries import Queries
from billing.application.importing import Importing
from billing.application.paying import Paying
from billing.application.ports import ProviderUnavailable
from billing.application.selling import Command, Selling
from billing.entrypoints import parsing, shaping
from billing.entrypoints.policies import SELLERS
from eventfold import Handled
from eventfold.errors import NotFound
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.billing.v1 import billing_pb2_grpc
from servicekit import imports, validate
from servicekit.call import Call, current_call
from servicekit.paging import Place, page, parse_page_token


@dataclass(frozen=True, slots=True)
class Parts:
    """What the servicer answers with."""

    selling: Selling
    paying: Paying
    importing: Importing
    queries: Queries


class BillingServicer(billing_pb2_grpc.BillingServiceServicer):
    """See the comments of the proto."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def PriceProduct(self, request: pb.PriceProductRequest, context: Any) -> pb.PriceProductResponse:
        call = current_call()
        wanted = parsing.product(request, await self._seller(call, request.product_id))
        handled = await self._parts.selling.price(wanted, _command(call, request))
        return pb.PriceProductResponse(**handled.answer, consistency_token=await self._token(call, handled))

    async def GetProduct(self, request: pb.GetProductRequest, context: Any) -> pb.GetProductResponse:
        product_id = parsing.identifier(request.product_id, "product_id")
        row = await self._parts.queries.price(product_id)
        if row is None:
            raise NotFound("there is no such product", field="product_id")
        return shaping.product(row)

    async def SchedulePromotion(
        self, request: pb.SchedulePromotionRequest, context: Any
    ) -> pb.SchedulePromotionResponse:
        call = current_call()
        wanted = parsing.promotion(request, call.require_caller().member_id)
        handled = await self._parts.selling.schedule(wanted, _command(call, request))
        return pb.SchedulePromotionResponse(**handled.answer, consistency_token=await self._token(call, handled))

    async def CreateQuote(self, request: pb.CreateQuoteRequest, context: Any) -> pb.CreateQuoteResponse:
        call = current_call()
        member_id = call.require_caller().member_id
        signed = await self._parts.selling.quote(str(uuid.uuid4()), member_id, parsing.wish(request), call.now)
        return pb.CreateQuoteResponse(quote=shaping.quote(signed))

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Any) -> pb.PlaceOrderResponse:
        call = current_call()
        member_id = call.require_caller().member_id
        signed = parsing.quote(request.quote)
        handled = await self._parts.selling.place(signed, member_id, _command(call, request))
        return pb.PlaceOrderResponse(**handled.answer, consistency_token=await self._token(call, handled))

    async def StartPayment(self, request: pb.StartPaymentRequest, context: Any) -> pb.StartPaymentResponse:
        call = current_call()
        member_id = call.require_caller().member_id
        order_id = parsing.identifier(request.order_id, "order_id")
        started = await self._parts.paying.start(member_id, order_id, request.provider, _command(call, request))
        pay_url = await self._parts.paying.ask_provider(started)
        return pb.StartPaymentResponse(
            payment_id=started.intent.payment_id,
            merchant_number=started.merchant_number,
            pay_url=pay_url,
            consistency_token=await self._token(call, started.handled),
        )

    async def HandleProviderCallback(
        self, request: pb.HandleProviderCallbackRequest, context: Any
    ) -> pb.HandleProviderCallbackResponse:
        call = current_call()
        recorded_by = replace(call.context(), actor=f"provider:{request.provider[:32]}")
        try:
            handled = await self._parts.paying.take_callback(
                request.provider, call.metadata, request.payload.data, call.now, recorded_by
            )
        except ProviderUnavailable:
            await _unavailable(context)
        if handled is not None:
            await self._token(call, handled)
        return pb.HandleProviderCallbackResponse(code="SUCCESS")

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        call = current_call()
        row = await self._parts.queries.order(parsing.identifier(request.order_id, "order_id"))
        if row is None or row.member_id != call.actor:
            raise NotFound("there is no such order", field="order_id")
        return pb.GetOrderResponse(order=shaping.order(row))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        call = current_call()
        limit, after = validate.page_size(request.page_size), parse_page_token(request.page_token)
        found = await self._parts.queries.orders(call.actor, after, limit + 1)
        orders, following = page(found, limit, lambda row: Place(row.placed_at, row.order_id), shaping.order)
        return pb.ListOrdersResponse(orders=orders, next_page_token=following)

    async def ListEntitlements(self, request: pb.ListEntitlementsRequest, context: Any) -> pb.ListEntitlementsResponse:
        call = current_call()
        limit, after = validate.page_size(request.page_size), parse_page_token(request.page_token)
        found = await self._parts.queries.entitlements(call.actor, after, limit + 1)
        entitlements, following = page(
            found, limit, lambda row: Place(row.granted_at, row.entitlement_id), shaping.entitlement
        )
        return pb.ListEntitlementsResponse(entitlements=entitlements, next_page_token=following)

    async def GetTrialBalance(self, request: pb.GetTrialBalanceRequest, context: Any) -> pb.GetTrialBalanceResponse:
        call = current_call()
        as_of = validate.utc(request.as_of, "as_of") if request.HasField("as_of") else None
        return shaping.trial_balance(await self._parts.queries.trial_balance(as_of), as_of or call.now)

    async def ListPostings(self, request: pb.ListPostingsRequest, context: Any) -> pb.ListPostingsResponse:
        limit, after = validate.page_size(request.page_size), parse_page_token(request.page_token)
        account = parsing.optional_identifier(request.account, "account") or ""
        order_id = parsing.optional_identifier(request.order_id, "order_id") or ""
        found = await self._parts.queries.postings(account, order_id, after, limit + 1)
        postings, following = page(found, limit, lambda row: Place(row.occurred_at, row.posting_id), shaping.posting)
        return pb.ListPostingsResponse(postings=postings, next_page_token=following)

    async def ImportOrders(self, request: pb.ImportOrdersRequest, context: Any) -> pb.ImportOrdersResponse:
        call = current_call()
        imports.check_batch(call, request.dataset, len(request.items))
        results, position = await imports.run(
            [item.external_id for item in request.items], request.items,
            lambda item: parsing.imported_order(request.dataset, item, call.now),
            lambda rows: self._parts.importing.orders(rows, call.context()), lambda row: row.order_id,
        )  # fmt: skip
        token = await call.recorded(position, covers_all=True)
        return pb.ImportOrdersResponse(results=results, consistency_token=token)

    async def _seller(self, call: Call, product_id: str) -> str:
        """Whose product it is: the caller's, or for an importer that of whoever it belongs to."""
        caller = call.require_caller()
        if caller.role in SELLERS:
            return caller.member_id
        return await self._parts.selling.owner(parsing.identifier(product_id, "product_id"))

    async def _token(self, call: Call, handled: Handled) -> str:
        return await call.recorded(handled.position)


def _command(call: Call, request: Message) -> Command:
    return Command(call.context(), call.idempotency(request))


async def _unavailable(context: Any) -> NoReturn:
    """The provider will send its callback again."""
    await context.abort(grpc.StatusCode.UNAVAILABLE, "the callback cannot be verified now")
    raise AssertionError("abort raises")
