"""From requests to checked values; every refusal names its field."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.content.application import Manuscript
from catalog.content.domain import EXCERPT_CHARS, KINDS, Lesson, Media, Work, excerpt_of
from contracts.external_ids import imported_id
from eventfold.errors import InvalidInput
from lyceum.catalog.v1 import catalog_pb2 as pb
from servicekit import answers, validate
from servicekit.call import Call
from servicekit.imports import MAX_EXTERNAL_ID_CHARS

MAX_TITLE_CHARS = 200
MAX_BODY_CHARS = 200_000
MAX_TAGS = 20
MAX_TAG_CHARS = 50
MAX_LESSONS = 200
MAX_URI_CHARS = 2_000
SHA256_HEX = 64
TEXT_KINDS = ("text", "course")


def manuscript(request: pb.PublishContentRequest, content_id: str, creator_id: str) -> Manuscript:
    """A publication of the caller."""
    work = _work(
        kind=request.kind,
        title=request.title,
        body=request.body,
        tags=list(request.tags),
        category=request.category,
        access=request.access,
        excerpt=request.excerpt,
        media=_media(request.media, "media") if request.HasField("media") else None,
        lessons=tuple(_lesson(lesson, n) for n, lesson in enumerate(request.lessons)),
    )
    return Manuscript(content_id, creator_id, work, _byline(request.byline, "byline"))


def short_manuscript(request: pb.PublishRequest, content_id: str, creator_id: str) -> Manuscript:
    """A text in the short form; refusals name the short form's fields."""
    validate.text(request.content, "content", max_chars=MAX_BODY_CHARS)
    work = _work(
        kind="text",
        title=request.title,
        body=request.content,
        tags=list(request.tags),
        category=request.category,
        access="free",
        excerpt="",
        media=None,
        lessons=(),
    )
    return Manuscript(content_id, creator_id, work, _byline(request.author, "author"))


def imported_manuscript(dataset: str, item: pb.ImportContent, call: Call) -> Manuscript:
    """A row of an import."""
    external_id = validate.text(item.external_id, "external_id", max_chars=MAX_EXTERNAL_ID_CHARS)
    creator = validate.text(item.creator_external_id, "creator_external_id", max_chars=MAX_EXTERNAL_ID_CHARS)
    work = _work(
        kind=item.kind,
        title=item.title,
        body=item.body,
        tags=list(item.tags),
        category=item.category,
        access=item.access,
        excerpt="",
        media=None,
        lessons=(),
        imported=True,
    )
    return Manuscript(
        content_id=imported_id("content", dataset, external_id),
        creator_id=imported_id("member", dataset, creator),
        work=work,
        byline=_byline(item.byline, "byline"),
        published_at=validate.past_time(item.published_at, "published_at", call.now),
    )


def _work(
    *,
    kind: str,
    title: str,
    body: str,
    tags: list[str],
    category: str,
    access: str,
    excerpt: str,
    media: Media | None,
    lessons: tuple[Lesson, ...],
    imported: bool = False,
) -> Work:
    validate.one_of(kind, "kind", KINDS)
    validate.one_of(access, "access", ("free", "paid"))
    validate.text(body, "body", min_chars=1 if kind == "text" else 0, max_chars=MAX_BODY_CHARS)
    if media is None and kind not in TEXT_KINDS and not imported:
        raise InvalidInput(f"is needed for {kind}", field="media")
    validate.between(len(tags), "tags", 0, MAX_TAGS)
    for tag in tags:
        validate.line(tag, "tags", max_chars=MAX_TAG_CHARS)
    validate.between(len(lessons), "lessons", 0, MAX_LESSONS)
    _fits_an_answer([body, *(lesson.body for lesson in lessons)], "lessons" if lessons else "body")
    return Work(
        kind=kind,
        title=validate.line(title, "title", max_chars=MAX_TITLE_CHARS),
        byline=None,
        body=body,
        media=media,
        lessons=lessons,
        tags=tuple(dict.fromkeys(tags)),
        access=access,
        category=validate.line(category, "category", max_chars=MAX_TAG_CHARS) if category else None,
        excerpt=validate.text(excerpt or excerpt_of(body, access), "excerpt", min_chars=0, max_chars=EXCERPT_CHARS),
    )


def _fits_an_answer(texts: Sequence[str], field: str) -> None:
    """What is published must come back whole: some characters take six times as much in an answer as in a request."""
    if (found := answers.text_bytes(texts)) > answers.MAX_WORK_BYTES:
        reason = f"all texts have up to {found} bytes as JSON, {answers.MAX_WORK_BYTES} are the limit"
        raise InvalidInput(reason, field=field)


def _byline(byline: str, field: str) -> str:
    return validate.line(byline, field, max_chars=MAX_TAG_CHARS) if byline else ""


def _media(media: pb.Media, field: str) -> Media:
    validate.web_uri(media.uri, f"{field}.uri", max_chars=MAX_URI_CHARS)
    if len(media.sha256) != SHA256_HEX or not set(media.sha256) <= set("0123456789abcdef"):
        raise InvalidInput("must be 64 lower-case hexadecimal digits", field=f"{field}.sha256")
    validate.between(media.duration_ms, f"{field}.duration_ms", 0, 10**10)
    validate.between(media.size_bytes, f"{field}.size_bytes", 0, 10**13)
    return Media(media.uri, media.sha256, media.duration_ms, media.size_bytes)


def _lesson(lesson: pb.Lesson, number: int) -> Lesson:
    field = f"lessons[{number}]"
    media = _media(lesson.media, f"{field}.media") if lesson.HasField("media") else None
    return Lesson(
        validate.line(lesson.title, f"{field}.title", max_chars=MAX_TITLE_CHARS),
        validate.text(lesson.body, f"{field}.body", min_chars=0, max_chars=MAX_BODY_CHARS),
        media,
    )
