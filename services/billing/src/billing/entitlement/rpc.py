"""Entitlements over gRPC."""

from __future__ import annotations

from typing import Any, Final

from billing.entitlement import shaping
from billing.entitlement.projections import ENTITLEMENTS
from billing.entitlement.queries import Entitlements
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit import validate
from servicekit.call import current_call
from servicekit.paging import PageStart, page, parse_page_token
from servicekit.policy import Policies, Policy

POLICIES: Final[Policies] = {"ListEntitlements": Policy("query", reads=(ENTITLEMENTS.name,))}


class EntitlementRpcs:
    """What the caller may use."""

    def __init__(self, entitlements: Entitlements) -> None:
        self._entitlements = entitlements

    async def ListEntitlements(self, request: pb.ListEntitlementsRequest, context: Any) -> pb.ListEntitlementsResponse:
        call = current_call()
        limit, after = validate.page_size(request.page_size), parse_page_token(request.page_token)
        found = await self._entitlements.of(call.actor, after, limit + 1)
        entitlements, following = page(
            found, limit, lambda row: PageStart(row.granted_at, row.entitlement_id), shaping.entitlement
        )
        return pb.ListEntitlementsResponse(entitlements=entitlements, next_page_token=following)
