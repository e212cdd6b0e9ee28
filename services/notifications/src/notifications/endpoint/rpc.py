"""Endpoints over gRPC."""

from __future__ import annotations

import uuid
from typing import Any, Final

from eventfold import EventStore, Handled
from eventfold.errors import Exhausted, InvalidInput, NotPermitted
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications import addresses
from notifications.endpoint import parsing
from notifications.endpoint.application import Registering
from notifications.endpoint.domain import (
    ENDPOINT,
    OVERLAP,
    Command,
    DisableEndpoint,
    EnableEndpoint,
    Endpoint,
    owned,
)
from notifications.endpoint.projections import INDEX, EndpointRow
from notifications.endpoint.queries import Endpoints
from notifications.endpoint.shaping import endpoint_message
from notifications.guard import Guard, NotReachable
from notifications.settings import NotificationsSettings
from servicekit import validate
from servicekit.call import Call, current_call
from servicekit.caller import Caller
from servicekit.paging import PageStart, page_token, parse_page_token
from servicekit.policy import Policies, Policy
from servicekit.times import timestamp

OWNERS: Final = ("creator", "admin")
"""Who may have endpoints."""

POLICIES: Final[Policies] = {
    "RegisterEndpoint": Policy("command", OWNERS, idempotent=True),
    "GetEndpoint": Policy("query", OWNERS),
    "ListEndpoints": Policy("query", OWNERS, reads=(INDEX.name,)),
    "ChangeEndpoint": Policy("command", OWNERS, idempotent=True),
    "RemoveEndpoint": Policy("command", OWNERS, idempotent=True),
    "RotateSecret": Policy("command", OWNERS, idempotent=True),
    "EndSecret": Policy("command", OWNERS, idempotent=True),
    "DisableEndpoint": Policy("command", OWNERS, idempotent=True),
    "EnableEndpoint": Policy("command", OWNERS, idempotent=True),
}


class EndpointRpcs:
    """Register, read, change, remove; secrets; on and off."""

    def __init__(
        self,
        store: EventStore,
        registering: Registering,
        endpoints: Endpoints,
        guard: Guard,
        settings: NotificationsSettings,
    ) -> None:
        self._store = store
        self._guard = guard
        self._registering = registering
        self._endpoints = endpoints
        self._settings = settings

    async def RegisterEndpoint(self, request: pb.RegisterEndpointRequest, context: Any) -> pb.RegisterEndpointResponse:
        """Under a bound for each member, which calls at the same moment may exceed by their number."""
        call = current_call()
        caller = call.require_caller()
        new = parsing.new_endpoint(request, caller, allow_local=self._settings.webhooks_allow_local)
        if await self._endpoints.count(caller.member_id) >= self._settings.webhooks_max_endpoints:
            raise Exhausted(f"a member has at most {self._settings.webhooks_max_endpoints} endpoints")
        await self._check(new.url)
        handled, secret = await self._registering.register(
            str(uuid.uuid4()), caller.member_id, new, call.context(), call.idempotency(request)
        )
        token = await call.recorded(handled.position)
        return pb.RegisterEndpointResponse(
            endpoint_id=handled.answer["endpoint_id"], secret=secret, consistency_token=token
        )

    async def GetEndpoint(self, request: pb.GetEndpointRequest, context: Any) -> pb.GetEndpointResponse:
        call = current_call()
        endpoint = await self._own(call, request.endpoint_id)
        [plain] = await self._registering.opened([endpoint])
        return pb.GetEndpointResponse(endpoint=endpoint_message(request.endpoint_id, endpoint, plain, call.now))

    async def ListEndpoints(self, request: pb.ListEndpointsRequest, context: Any) -> pb.ListEndpointsResponse:
        """The index says which there are; each is shown as it stands."""
        call = current_call()
        member_id = _asked_member(call.require_caller(), validate.asked_id(request.member_id, "member_id"))
        limit, after = validate.page_size(request.page_size), parse_page_token(request.page_token)
        rows = await self._endpoints.page(member_id, after, limit + 1)
        shown = rows[:limit]
        return pb.ListEndpointsResponse(
            endpoints=await self._messages(call, shown),
            next_page_token=page_token(PageStart(shown[-1].registered_at, shown[-1].endpoint_id))
            if len(rows) > limit
            else "",
        )

    async def ChangeEndpoint(self, request: pb.ChangeEndpointRequest, context: Any) -> pb.ChangeEndpointResponse:
        call = current_call()
        present = await self._own(call, request.endpoint_id)
        wishes = parsing.wishes(request, present.scope, allow_local=self._settings.webhooks_allow_local)
        if wishes.url is not None:
            await self._check(wishes.url)
        handled = await self._registering.change(
            request.endpoint_id, present, wishes, call.context(), call.idempotency(request)
        )
        return pb.ChangeEndpointResponse(consistency_token=await call.recorded(handled.position))

    async def RemoveEndpoint(self, request: pb.RemoveEndpointRequest, context: Any) -> pb.RemoveEndpointResponse:
        call = current_call()
        present = await self._own(call, request.endpoint_id)
        handled = await self._registering.remove(
            request.endpoint_id, present, call.context(), call.idempotency(request)
        )
        return pb.RemoveEndpointResponse(consistency_token=await call.recorded(handled.position))

    async def RotateSecret(self, request: pb.RotateSecretRequest, context: Any) -> pb.RotateSecretResponse:
        """For the owner alone: who has the secret can speak in our name."""
        call = current_call()
        endpoint = await self._own(call, request.endpoint_id)
        if endpoint.member_id != call.require_caller().member_id:
            raise NotPermitted("secrets are shown to their owner alone", field="endpoint_id")
        handled, secret = await self._registering.rotate(
            request.endpoint_id, endpoint.member_id, call.context(), call.idempotency(request)
        )
        token = await call.recorded(handled.position)
        ends_at = timestamp(call.now + OVERLAP) if secret else None
        return pb.RotateSecretResponse(secret=secret, previous_ends_at=ends_at, consistency_token=token)

    async def EndSecret(self, request: pb.EndSecretRequest, context: Any) -> pb.EndSecretResponse:
        call = current_call()
        present = await self._own(call, request.endpoint_id)
        handled = await self._registering.end_secret(
            request.endpoint_id, present, call.context(), call.idempotency(request)
        )
        return pb.EndSecretResponse(consistency_token=await call.recorded(handled.position))

    async def DisableEndpoint(self, request: pb.DisableEndpointRequest, context: Any) -> pb.DisableEndpointResponse:
        handled = await self._asked(request, DisableEndpoint("asked"))
        return pb.DisableEndpointResponse(consistency_token=await current_call().recorded(handled.position))

    async def EnableEndpoint(self, request: pb.EnableEndpointRequest, context: Any) -> pb.EnableEndpointResponse:
        handled = await self._asked(request, EnableEndpoint())
        return pb.EnableEndpointResponse(consistency_token=await current_call().recorded(handled.position))

    async def _asked(self, request: Any, command: Command) -> Handled:
        call = current_call()
        await self._own(call, request.endpoint_id)
        return await self._registering.ask(request.endpoint_id, command, call.context(), call.idempotency(request))

    async def _own(self, call: Call, endpoint_id: str) -> Endpoint:
        caller = call.require_caller()
        found = await self._store.current(ENDPOINT.at(validate.asked_id(endpoint_id, "endpoint_id")))
        return owned(found, caller.member_id, by_admin=caller.role == "admin")

    async def _check(self, url: str) -> None:
        """Where the name leads now; each connection looks again. Raises `InvalidInput`."""
        address = addresses.checked(url, allow_local=self._settings.webhooks_allow_local)
        try:
            await self._guard.addresses(address.host, address.port)
        except NotReachable as refused:
            raise InvalidInput(str(refused), field="url") from refused

    async def _messages(self, call: Call, rows: list[EndpointRow]) -> list[pb.Endpoint]:
        found = await self._registering.all_current([row.endpoint_id for row in rows])
        there = {row.endpoint_id: found[row.endpoint_id] for row in rows if row.endpoint_id in found}
        plain = await self._registering.opened([*there.values()])
        return [endpoint_message(*one, text, call.now) for one, text in zip(there.items(), plain, strict=True)]


def _asked_member(caller: Caller, asked: str) -> str | None:
    """Whose endpoints to list; None: everybody's, for an admin who names nobody."""
    if caller.role == "admin":
        return asked or None
    if asked not in ("", caller.member_id):
        raise NotPermitted("another's endpoints are for admins", field="member_id")
    return caller.member_id
