"""Interactions over gRPC."""

from __future__ import annotations

from typing import Any, Final

from catalog.interaction import parsing
from catalog.interaction.application import Interacting
from catalog.interaction.projections import COMMENTING
from catalog.interaction.queries import Comments
from lyceum.catalog.v1 import catalog_pb2 as pb
from servicekit import imports, validate
from servicekit.call import current_call
from servicekit.paging import PageStart, page, parse_page_token
from servicekit.policy import Policies, Policy
from servicekit.times import timestamp

POLICIES: Final[Policies] = {
    "RecordInteraction": Policy("command", reads=("access_mirror",), idempotent=True),
    "RecordInteractions": Policy("command", reads=("access_mirror",)),
    "ListComments": Policy("query", anyone=True, reads=(COMMENTING.name,)),
    "ImportInteractions": Policy("import", (imports.IMPORTER,), reads=("known_members",)),
}


class InteractionRpcs:
    """Record one or many, import, list comments."""

    def __init__(self, interacting: Interacting, comments: Comments, known: imports.KnownMembers) -> None:
        self._interacting = interacting
        self._comments = comments
        self._known = known

    async def RecordInteraction(
        self, request: pb.RecordInteractionRequest, context: Any
    ) -> pb.RecordInteractionResponse:
        call = current_call()
        act = parsing.act(request.interaction, call.require_caller().member_id, request.content_id)
        handled = await self._interacting.record(act, call.context(), call.idempotency(request))
        token = await call.recorded(handled.position)
        return pb.RecordInteractionResponse(status=handled.answer["status"], consistency_token=token)

    async def RecordInteractions(
        self, request: pb.RecordInteractionsRequest, context: Any
    ) -> pb.RecordInteractionsResponse:
        call = current_call()
        member_id = call.require_caller().member_id
        validate.batch_size(len(request.items))
        keys = [item.interaction.client_key for item in request.items]
        results, token = await imports.answered(
            keys,
            request.items,
            lambda item: parsing.act(item.interaction, member_id, item.content_id),
            self._interacting.record_all,
            lambda act: act.act_id,
        )
        return pb.RecordInteractionsResponse(results=results, consistency_token=token)

    async def ListComments(self, request: pb.ListCommentsRequest, context: Any) -> pb.ListCommentsResponse:
        limit = validate.page_size(request.page_size)
        after = parse_page_token(request.page_token)
        content_id = validate.asked_id(request.content_id, "content_id")
        found = await self._comments.of(content_id, after, limit + 1)
        texts = await self._interacting.comment_texts(
            [(row.content_id, row.member_id, row.comment_id) for row in found[:limit]]
        )
        comments, following = page(
            found,
            limit,
            lambda row: PageStart(row.commented_at, row.comment_id),
            lambda row: pb.Comment(
                comment_id=row.comment_id,
                member_id=row.member_id,
                text=texts.get(row.comment_id, ""),
                commented_at=timestamp(row.commented_at),
            ),
        )
        return pb.ListCommentsResponse(comments=comments, next_page_token=following)

    async def ImportInteractions(
        self, request: pb.ImportInteractionsRequest, context: Any
    ) -> pb.ImportInteractionsResponse:
        call = current_call()
        imports.check_batch(call, request.dataset, len(request.items))
        results, token = await imports.answered(
            [item.external_id for item in request.items],
            request.items,
            lambda item: parsing.imported_act(request.dataset, item, call),
            self._interacting.record_all,
            lambda act: act.act_id,
            imports.naming_members(self._known, lambda act: act.member_id, "member_external_id"),
        )
        return pb.ImportInteractionsResponse(results=results, consistency_token=token)
