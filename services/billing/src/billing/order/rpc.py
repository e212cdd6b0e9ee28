"""Orders over gRPC."""

from __future__ import annotations

from typing import Any, Final

from billing import fields
from billing.commands import command_of
from billing.order import parsing, shaping
from billing.order.application import Ordering
from billing.order.importing import Importing
from billing.order.projections import KNOWN_MEMBERS, ORDER_BOOK
from billing.order.queries import Orders
from eventfold.errors import NotFound
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit import imports, validate
from servicekit.call import current_call
from servicekit.paging import PageStart, page, parse_page_token
from servicekit.policy import Policies, Policy

POLICIES: Final[Policies] = {
    "PlaceOrder": Policy("command", idempotent=True),
    "GetOrder": Policy("query", reads=(ORDER_BOOK.name,)),
    "ListOrders": Policy("query", reads=(ORDER_BOOK.name,)),
    "ImportOrders": Policy("import", (imports.IMPORTER,), reads=(KNOWN_MEMBERS.name, "content_owners")),
}


class OrderRpcs:
    """Place, read, list, import."""

    def __init__(self, ordering: Ordering, importing: Importing, orders: Orders, members: imports.KnownMembers) -> None:
        self._ordering = ordering
        self._importing = importing
        self._orders = orders
        self._members = members

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Any) -> pb.PlaceOrderResponse:
        call = current_call()
        member_id = call.require_caller().member_id
        signed = parsing.quote(request.quote)
        handled = await self._ordering.place(signed, member_id, command_of(call, request))
        return pb.PlaceOrderResponse(**handled.answer, consistency_token=await call.recorded(handled.position))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        call = current_call()
        row = await self._orders.of(fields.identifier(request.order_id, "order_id"))
        if row is None or row.member_id != call.actor:
            raise NotFound("there is no such order", field="order_id")
        return pb.GetOrderResponse(order=shaping.order(row))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        call = current_call()
        limit, after = validate.page_size(request.page_size), parse_page_token(request.page_token)
        found = await self._orders.of_member(call.actor, after, limit + 1)
        orders, following = page(found, limit, lambda row: PageStart(row.placed_at, row.order_id), shaping.order)
        return pb.ListOrdersResponse(orders=orders, next_page_token=following)

    async def ImportOrders(self, request: pb.ImportOrdersRequest, context: Any) -> pb.ImportOrdersResponse:
        call = current_call()
        imports.check_batch(call, request.dataset, len(request.items))
        results, token = await imports.answered(
            [item.external_id for item in request.items],
            request.items,
            lambda item: parsing.imported_order(request.dataset, item, call.now),
            self._importing.orders,
            lambda row: row.order_id,
            imports.naming_members(self._members, lambda row: row.member_id, "member_external_id"),
        )
        return pb.ImportOrdersResponse(results=results, consistency_token=token)
