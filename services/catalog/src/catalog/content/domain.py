"""Content: published once, read under the access decision. Bodies and media stay in the catalog's own store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from catalog.access.domain import Grant, decide_access
from eventfold import Decider, Sealed, Stored, StreamType
from eventfold.errors import NotFound, NotPermitted

KINDS = ("text", "image", "audio", "video", "course")
EXCERPT_CHARS = 200


@dataclass(frozen=True, slots=True)
class Media:
    """Where the bytes are and how to know them: `sha256` in lower-case hexadecimal."""

    uri: str
    sha256: str
    duration_ms: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """A part of a course."""

    title: str
    body: str
    media: Media | None


@dataclass(frozen=True, slots=True)
class Work:
    """What is published: everything but who and when."""

    kind: str
    title: str
    byline: Sealed | None
    body: str
    media: Media | None
    lessons: tuple[Lesson, ...]
    tags: tuple[str, ...]
    category: str | None
    access: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class PublishContent:
    """Make a work readable."""

    creator_id: str
    work: Work


@dataclass(frozen=True, slots=True)
class RequirePublished:
    """Decides nothing; refuses when the content is not there. Asked beside a command on another stream."""


@dataclass(frozen=True, slots=True)
class RequireAccess:
    """Decides nothing; refuses when the member may not read the content in full at `now`. `grant` is what the member
    holds of it. Asked beside a command on another stream."""

    member_id: str
    grant: Grant | None
    now: datetime


Command = PublishContent | RequirePublished | RequireAccess


class AccessNeeded(NotPermitted):
    """Only who may read content in full may judge or finish it."""

    code = "ACCESS_NEEDED"


@dataclass(frozen=True, slots=True)
class ContentPublished:
    """The work is readable."""

    creator_id: str
    work: Work


class Published(NamedTuple):
    """What decisions need to know of content; the work itself may be long."""

    creator_id: str
    access: str


def decide(command: Command, published: Published | None) -> Sequence[ContentPublished]:
    """Publishing the same id again records nothing. Raises `NotFound`, `AccessNeeded`."""
    if isinstance(command, PublishContent):
        return [] if published else [ContentPublished(command.creator_id, command.work)]
    if published is None:
        raise NotFound("there is no such content", field="content_id")
    if isinstance(command, RequireAccess):
        _check_access(command, published)
    return []


def _check_access(command: RequireAccess, published: Published) -> None:
    decision = decide_access(
        access=published.access,
        creator_id=published.creator_id,
        member_id=command.member_id,
        grant=command.grant,
        now=command.now,
    )
    if not decision.allowed:
        raise AccessNeeded("you have not bought this content 尚未购买该内容", field="content_id")


def evolve(_: Published | None, event: ContentPublished) -> Published:
    """It is there."""
    return Published(event.creator_id, event.work.access)


CONTENT: StreamType[Command, Published | None, ContentPublished] = StreamType(
    "content", Decider(None, decide, evolve), remembered=True
)


def excerpt_of(body: str, access: str) -> str:
    """What everybody may read: the beginning of the body, and never more than half of a paid one."""
    return body[: min(EXCERPT_CHARS, len(body) // 2) if access == "paid" else EXCERPT_CHARS]


EVENTS: Final[Stored] = {ContentPublished: ("content.published", 1)}
