"""Deliveries over gRPC."""

from __future__ import annotations

from typing import Any, Final

from eventfold import EventStore
from eventfold.errors import InvalidInput, WrongState
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications.delivery.asking import Asking
from notifications.delivery.queries import STATES, Deliveries
from notifications.delivery.shaping import delivery_message, event_type_messages
from notifications.endpoint.domain import ENDPOINT, Endpoint, owned
from servicekit import validate
from servicekit.call import Call, current_call
from servicekit.paging import PageStart, page, parse_page_token
from servicekit.policy import Policies, Policy

OWNERS: Final = ("creator", "admin")

POLICIES: Final[Policies] = {
    "ListDeliveries": Policy("query", OWNERS),
    "Redeliver": Policy("command", OWNERS),
    "TestEndpoint": Policy("command", OWNERS, idempotent=True),
    "ListEventTypes": Policy("query", OWNERS),
}


class DeliveryRpcs:
    """List, send again, test; what may be told."""

    def __init__(self, store: EventStore, deliveries: Deliveries, asking: Asking) -> None:
        self._store = store
        self._deliveries = deliveries
        self._asking = asking

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Any) -> pb.ListDeliveriesResponse:
        await self._own(current_call(), request.endpoint_id)
        state = validate.one_of(request.state, "state", STATES)
        limit, after = validate.page_size(request.page_size), parse_page_token(request.page_token)
        found = await self._deliveries.page(request.endpoint_id, state, after, limit + 1)
        deliveries, following = page(
            found, limit, lambda row: PageStart(row[0].created_at, row[0].event_id), lambda row: delivery_message(*row)
        )
        return pb.ListDeliveriesResponse(deliveries=deliveries, next_page_token=following)

    async def Redeliver(self, request: pb.RedeliverRequest, context: Any) -> pb.RedeliverResponse:
        """Safe to repeat: what is due already stays so."""
        call = current_call()
        endpoint = await self._own(call, request.endpoint_id)
        if bool(request.delivery_id) == request.HasField("failed_since"):
            raise InvalidInput("name one delivery or a time", field="delivery_id")
        if endpoint.disabled:
            raise WrongState("the endpoint is disabled; enable it first", field="endpoint_id")
        if request.delivery_id:
            event_id = validate.asked_id(request.delivery_id, "delivery_id")
            again = await self._asking.one_again(request.endpoint_id, event_id, call.now)
        else:
            since = validate.past_time(request.failed_since, "failed_since", call.now)
            again = await self._asking.failed_again(request.endpoint_id, since, call.now)
        return pb.RedeliverResponse(redelivered=again.redelivered, more=again.more)

    async def TestEndpoint(self, request: pb.TestEndpointRequest, context: Any) -> pb.TestEndpointResponse:
        call = current_call()
        endpoint = await self._own(call, request.endpoint_id)
        if endpoint.disabled:
            raise WrongState("the endpoint is disabled; enable it first", field="endpoint_id")
        asked = call.idempotency(request)
        key = f"{call.actor}/{asked.key}" if asked else None
        return pb.TestEndpointResponse(delivery_id=await self._asking.test(request.endpoint_id, key, call.now))

    async def ListEventTypes(self, request: pb.ListEventTypesRequest, context: Any) -> pb.ListEventTypesResponse:
        return pb.ListEventTypesResponse(types=event_type_messages())

    async def _own(self, call: Call, endpoint_id: str) -> Endpoint:
        caller = call.require_caller()
        found = await self._store.current(ENDPOINT.at(validate.asked_id(endpoint_id, "endpoint_id")))
        return owned(found, caller.member_id, by_admin=caller.role == "admin")
