"""catalog over gRPC."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.adapters.bylines import Bylines
from catalog.adapters.queries import Queries
from catalog.application.interacting import Interacting
from catalog.application.publishing import Publishing
from catalog.domain.access import Decision, decide_access, depends_on_grant
from catalog.domain.content import ContentPublished, Lesson, Media
from catalog.entrypoints import parsing
from catalog.projections.contents import ContentRow, CounterRow
from eventfold.decider import Context
from eventfold.desk import Outcome
from eventfold.errors import NotFound
from lyceum.catalog.v1 import catalog_pb2 as pb
from lyceum.catalog.v1 import catalog_pb2_grpc
from lyceum.common.v1.common_pb2 import ItemResult
from servicekit import imports, validate
from servicekit.call import current_call
from servicekit.imports import Item, Row
from servicekit.paging import Place, page, parse_page_token
from servicekit.times import timestamp

RecordRows = Callable[[Sequence[Row], Context], Awaitable[tuple[Sequence[Outcome], int | None]]]
PUBLISHED = "Content published successfully."


@dataclass(frozen=True)
class Parts:
    """What the servicer works with."""

    publishing: Publishing
    interacting: Interacting
    queries: Queries
    bylines: Bylines


class CatalogServicer(catalog_pb2_grpc.CatalogServiceServicer):
    """Parses and checks requests, asks the application, shapes answers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def Publish(self, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
        call = current_call()
        creator = call.require_caller()
        short = parsing.short_manuscript(request, str(uuid.uuid4()), creator.member_id)
        handled = await self._parts.publishing.publish(short, call.context(), call.idempotency(request))
        await call.recorded(handled.position)
        return pb.PublishResponse(message=PUBLISHED)

    async def PublishContent(self, request: pb.PublishContentRequest, context: Any) -> pb.PublishContentResponse:
        call = current_call()
        creator = call.require_caller()
        full = parsing.manuscript(request, str(uuid.uuid4()), creator.member_id)
        handled = await self._parts.publishing.publish(full, call.context(), call.idempotency(request))
        token = await call.recorded(handled.position)
        return pb.PublishContentResponse(content_id=handled.answer["content_id"], consistency_token=token)

    async def GetContent(self, request: pb.GetContentRequest, context: Any) -> pb.GetContentResponse:
        call, parts = current_call(), self._parts
        found = await parts.publishing.content(parsing.asked_id(request.content_id, "content_id"))
        if found is None:
            raise NotFound("there is no such content 内容不存在", field="content_id")
        content, published_at = found
        member_id = call.caller.member_id if call.caller else None
        access, creator_id = content.work.access, content.creator_id
        asked = depends_on_grant(access=access, creator_id=creator_id, member_id=member_id)
        grant = await parts.queries.grant(member_id, request.content_id) if member_id and asked else None
        decision = decide_access(access=access, creator_id=creator_id, member_id=member_id, grant=grant, now=call.now)
        counters = await parts.queries.counters(request.content_id)
        byline = await parts.bylines.open(content.work.byline)
        answer = _content(request.content_id, content, decision, counters, byline)
        answer.published_at.FromDatetime(published_at)
        return answer

    async def ListContents(self, request: pb.ListContentsRequest, context: Any) -> pb.ListContentsResponse:
        limit = validate.page_size(request.page_size)
        after = parse_page_token(request.page_token)
        creator_id, tag = parsing.asked_id(request.creator_id, "creator_id"), parsing.asked_id(request.tag, "tag")
        found = await self._parts.queries.contents(creator_id or None, tag or None, after, limit + 1)
        contents, following = page(
            found, limit, lambda row: Place(row[0].published_at, row[0].content_id), lambda row: _summary(*row)
        )
        return pb.ListContentsResponse(contents=contents, next_page_token=following)

    async def RecordInteraction(
        self, request: pb.RecordInteractionRequest, context: Any
    ) -> pb.RecordInteractionResponse:
        call = current_call()
        act = parsing.act(request.interaction, call.require_caller().member_id, request.content_id)
        handled = await self._parts.interacting.record(act, call.context(), call.idempotency(request))
        token = await call.recorded(handled.position)
        return pb.RecordInteractionResponse(status=handled.answer["status"], consistency_token=token)

    async def RecordInteractions(
        self, request: pb.RecordInteractionsRequest, context: Any
    ) -> pb.RecordInteractionsResponse:
        call = current_call()
        member_id = call.require_caller().member_id
        validate.batch_size(len(request.items))
        keys = [item.interaction.client_key for item in request.items]
        results, token = await self._imported(
            keys, request.items, lambda item: parsing.act(item.interaction, member_id, item.content_id),
            self._parts.interacting.record_all, lambda act: act.act_id,
        )  # fmt: skip
        return pb.RecordInteractionsResponse(results=results, consistency_token=token)

    async def ListComments(self, request: pb.ListCommentsRequest, context: Any) -> pb.ListCommentsResponse:
        limit = validate.page_size(request.page_size)
        after = parse_page_token(request.page_token)
        content_id = parsing.asked_id(request.content_id, "content_id")
        found = await self._parts.queries.comments(content_id, after, limit + 1)
        texts = await self._parts.interacting.comment_texts(
            [(row.content_id, row.member_id, row.comment_id) for row in found[:limit]]
        )
        comments, following = page(
            found, limit, lambda row: Place(row.commented_at, row.comment_id),
            lambda row: pb.Comment(
                comment_id=row.comment_id, member_id=row.member_id, text=texts.get(row.comment_id, ""),
                commented_at=timestamp(row.commented_at),
            ),
        )  # fmt: skip
        return pb.ListCommentsResponse(comments=comments, next_page_token=following)

    async def ImportContents(self, request: pb.ImportContentsRequest, context: Any) -> pb.ImportContentsResponse:
        call = current_call()
        imports.check_batch(call, request.dataset, len(request.items))
        results, token = await self._imported(
            [item.external_id for item in request.items], request.items,
            lambda item: parsing.imported_manuscript(request.dataset, item, call),
            self._parts.publishing.import_all, lambda manuscript: manuscript.content_id,
        )  # fmt: skip
        return pb.ImportContentsResponse(results=results, consistency_token=token)

    async def ImportInteractions(
        self, request: pb.ImportInteractionsRequest, context: Any
    ) -> pb.ImportInteractionsResponse:
        call = current_call()
        imports.check_batch(call, request.dataset, len(request.items))
        results, token = await self._imported(
            [item.external_id for item in request.items], request.items,
            lambda item: parsing.imported_act(request.dataset, item, call),
            self._parts.interacting.record_all, lambda act: act.act_id,
        )  # fmt: skip
        return pb.ImportInteractionsResponse(results=results, consistency_token=token)

    async def _imported(
        self, keys: Sequence[str], items: Iterable[Item], parse: Callable[[Item], Row], record: RecordRows[Row],
        id_of: Callable[[Row], str],
    ) -> tuple[list[ItemResult], str]:  # fmt: skip
        """One result per item, and the token that covers them all."""
        call = current_call()
        results, position = await imports.run(keys, items, parse, lambda rows: record(rows, call.context()), id_of)
        return results, await call.recorded(position, covers_all=True)


def _content(
    content_id: str, content: ContentPublished, decision: Decision, counters: CounterRow, byline: str
) -> pb.GetContentResponse:
    """Everything that is gated passes here: without `decision.allowed` neither body, media nor lessons leave."""
    work = content.work
    answer = pb.GetContentResponse(
        content_id=content_id, creator_id=content.creator_id, kind=work.kind, title=work.title, byline=byline,
        excerpt=work.excerpt, tags=work.tags, category=work.category or "", counters=_counters(counters),
        access=pb.AccessDecision(
            allowed=decision.allowed, reason=decision.reason, expires_at=timestamp(decision.expires_at)
        ),
    )  # fmt: skip
    if decision.allowed:
        answer.body = work.body
        answer.lessons.extend(_lesson(one) for one in work.lessons)
        if work.media:
            answer.media.CopyFrom(_media(work.media))
    return answer


def _lesson(lesson: Lesson) -> pb.Lesson:
    media = _media(lesson.media) if lesson.media else None
    return pb.Lesson(title=lesson.title, body=lesson.body, media=media)


def _media(media: Media) -> pb.Media:
    return pb.Media(uri=media.uri, sha256=media.sha256, duration_ms=media.duration_ms, size_bytes=media.size_bytes)


def _summary(row: ContentRow, counters: CounterRow) -> pb.ContentSummary:
    return pb.ContentSummary(
        content_id=row.content_id, creator_id=row.creator_id, kind=row.kind, title=row.title, excerpt=row.excerpt,
        tags=row.tags, access=row.access, published_at=timestamp(row.published_at), counters=_counters(counters),
    )  # fmt: skip


def _counters(row: CounterRow) -> pb.Counters:
    return pb.Counters(**{name: getattr(row, name) for name in CounterRow._fields if name != "content_id"})
