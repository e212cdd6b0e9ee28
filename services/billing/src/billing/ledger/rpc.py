"""The ledger over gRPC: all of it for operators, and for each creator what is owed to them."""

from __future__ import annotations

from typing import Any, Final

from billing import fields
from billing.ledger import shaping
from billing.ledger.projections import CREATOR_PAYABLE, LEDGER
from billing.ledger.queries import Postings
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit import validate
from servicekit.call import current_call
from servicekit.paging import PageStart, page, parse_page_token
from servicekit.policy import OPERATORS, Policies, Policy

POLICIES: Final[Policies] = {
    "GetTrialBalance": Policy("query", OPERATORS, reads=(LEDGER.name,)),
    "ListPostings": Policy("query", OPERATORS, own="account", own_form=CREATOR_PAYABLE, reads=(LEDGER.name,)),
}


class LedgerRpcs:
    """Balances and postings."""

    def __init__(self, postings: Postings) -> None:
        self._postings = postings

    async def GetTrialBalance(self, request: pb.GetTrialBalanceRequest, context: Any) -> pb.GetTrialBalanceResponse:
        call = current_call()
        as_of = validate.utc(request.as_of, "as_of") if request.HasField("as_of") else None
        return shaping.trial_balance(await self._postings.trial_balance(as_of), as_of or call.now)

    async def ListPostings(self, request: pb.ListPostingsRequest, context: Any) -> pb.ListPostingsResponse:
        limit, after = validate.page_size(request.page_size), parse_page_token(request.page_token)
        account = fields.optional_identifier(request.account, "account") or ""
        order_id = fields.optional_identifier(request.order_id, "order_id") or ""
        found = await self._postings.of(account, order_id, after, limit + 1)
        postings, following = page(
            found, limit, lambda row: PageStart(row.occurred_at, row.posting_id), shaping.posting
        )
        return pb.ListPostingsResponse(postings=postings, next_page_token=following)
