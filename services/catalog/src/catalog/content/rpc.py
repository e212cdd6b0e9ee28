"""Content over gRPC."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

from catalog.access.domain import Decision, Grant, decide_access, depends_on_grant
from catalog.content import parsing
from catalog.content.application import Publishing
from catalog.content.bylines import Bylines
from catalog.content.domain import ContentPublished, Lesson, Media
from catalog.content.projections import COUNTING, INDEX, ContentRow, CounterRow
from catalog.content.queries import Feed
from eventfold.errors import NotFound
from lyceum.catalog.v1 import catalog_pb2 as pb
from servicekit import imports, validate
from servicekit.call import current_call
from servicekit.paging import PageStart, page, parse_page_token
from servicekit.policy import Policies, Policy
from servicekit.times import timestamp

PUBLISHED = "Content published successfully."
CONTENT_ID = "x-lyceum-content-id"
"""The header with the id of what the short form published; its body is one sentence, for ever."""
CREATORS: Final = ("creator",)
GrantOf = Callable[[str, str], Awaitable[Grant | None]]
"""The grant that a member holds of a product."""


POLICIES: Final[Policies] = {
    "Publish": Policy("command", CREATORS, idempotent=True),
    "PublishContent": Policy("command", CREATORS, idempotent=True),
    "GetContent": Policy("query", anyone=True, reads=("access_mirror", COUNTING.name)),
    "ListContents": Policy("query", anyone=True, reads=(INDEX.name, COUNTING.name)),
    "ImportContents": Policy("import", (imports.IMPORTER,), reads=("known_members",)),
}


class ContentRpcs:
    """Publish, read, list, import."""

    def __init__(
        self, publishing: Publishing, feed: Feed, bylines: Bylines, grant: GrantOf, known: imports.KnownMembers
    ) -> None:
        self._publishing = publishing
        self._feed = feed
        self._bylines = bylines
        self._grant = grant
        self._known = known

    async def Publish(self, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
        call = current_call()
        creator = call.require_caller()
        short = parsing.short_manuscript(request, str(uuid.uuid4()), creator.member_id)
        handled = await self._publishing.publish(short, call.context(), call.idempotency(request))
        await call.recorded(handled.position)
        call.headers.append((CONTENT_ID, handled.answer["content_id"]))
        return pb.PublishResponse(message=PUBLISHED)

    async def PublishContent(self, request: pb.PublishContentRequest, context: Any) -> pb.PublishContentResponse:
        call = current_call()
        creator = call.require_caller()
        full = parsing.manuscript(request, str(uuid.uuid4()), creator.member_id)
        handled = await self._publishing.publish(full, call.context(), call.idempotency(request))
        token = await call.recorded(handled.position)
        return pb.PublishContentResponse(content_id=handled.answer["content_id"], consistency_token=token)

    async def GetContent(self, request: pb.GetContentRequest, context: Any) -> pb.GetContentResponse:
        call = current_call()
        found = await self._publishing.content(validate.asked_id(request.content_id, "content_id"))
        if found is None:
            raise NotFound("there is no such content 内容不存在", field="content_id")
        content, published_at = found
        member_id = call.caller.member_id if call.caller else None
        access, creator_id = content.work.access, content.creator_id
        asked = depends_on_grant(access=access, creator_id=creator_id, member_id=member_id)
        grant = await self._grant(member_id, request.content_id) if member_id and asked else None
        decision = decide_access(access=access, creator_id=creator_id, member_id=member_id, grant=grant, now=call.now)
        counters = await self._feed.counters(request.content_id)
        byline = await self._bylines.open(content.work.byline)
        answer = _content(request.content_id, content, decision, counters, byline)
        answer.published_at.FromDatetime(published_at)
        return answer

    async def ListContents(self, request: pb.ListContentsRequest, context: Any) -> pb.ListContentsResponse:
        limit = validate.page_size(request.page_size)
        after = parse_page_token(request.page_token)
        creator_id, tag = validate.asked_id(request.creator_id, "creator_id"), validate.asked_id(request.tag, "tag")
        found = await self._feed.contents(creator_id or None, tag or None, after, limit + 1)
        contents, following = page(
            found, limit, lambda row: PageStart(row[0].published_at, row[0].content_id), lambda row: _summary(*row)
        )
        return pb.ListContentsResponse(contents=contents, next_page_token=following)

    async def ImportContents(self, request: pb.ImportContentsRequest, context: Any) -> pb.ImportContentsResponse:
        call = current_call()
        imports.check_batch(call, request.dataset, len(request.items))
        results, token = await imports.answered(
            [item.external_id for item in request.items],
            request.items,
            lambda item: parsing.imported_manuscript(request.dataset, item, call),
            self._publishing.import_all,
            lambda manuscript: manuscript.content_id,
            imports.naming_members(self._known, lambda manuscript: manuscript.creator_id, "creator_external_id"),
        )
        return pb.ImportContentsResponse(results=results, consistency_token=token)


def _content(
    content_id: str, content: ContentPublished, decision: Decision, counters: CounterRow, byline: str
) -> pb.GetContentResponse:
    """Everything that is gated passes here: without `decision.allowed` neither body, media nor lessons leave."""
    work = content.work
    answer = pb.GetContentResponse(
        content_id=content_id,
        creator_id=content.creator_id,
        kind=work.kind,
        title=work.title,
        byline=byline,
        excerpt=work.excerpt,
        tags=work.tags,
        category=work.category or "",
        counters=_counters(counters),
        access=pb.AccessDecision(
            allowed=decision.allowed, reason=decision.reason, expires_at=timestamp(decision.expires_at)
        ),
    )
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
        content_id=row.content_id,
        creator_id=row.creator_id,
        kind=row.kind,
        title=row.title,
        excerpt=row.excerpt,
        tags=row.tags,
        access=row.access,
        published_at=timestamp(row.published_at),
        counters=_counters(counters),
    )


def _counters(row: CounterRow) -> pb.Counters:
    return pb.Counters(**{name: getattr(row, name) for name in CounterRow._fields if name != "content_id"})
