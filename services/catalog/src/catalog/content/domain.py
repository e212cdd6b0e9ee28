"""Content: published once, read under the access decision. Bodies and media stay in the catalog's own store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eventfold import Decider, Sealed, Stored, StreamType
from eventfold.errors import NotFound

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


Command = PublishContent | RequirePublished


@dataclass(frozen=True, slots=True)
class ContentPublished:
    """The work is readable."""

    creator_id: str
    work: Work


def decide(command: Command, published: bool) -> Sequence[ContentPublished]:
    """Publishing the same id again records nothing."""
    if isinstance(command, RequirePublished):
        if not published:
            raise NotFound("there is no such content", field="content_id")
        return []
    return [] if published else [ContentPublished(command.creator_id, command.work)]


def evolve(published: bool, event: ContentPublished) -> bool:
    """Decisions only need to know that it is there; the work itself may be long."""
    return True


CONTENT: StreamType[Command, bool, ContentPublished] = StreamType(
    "content", Decider(False, decide, evolve), remembered=True
)


def excerpt_of(body: str, access: str) -> str:
    """What everybody may read: the beginning of the body, and never more than half of a paid one."""
    return body[: min(EXCERPT_CHARS, len(body) // 2) if access == "paid" else EXCERPT_CHARS]


EVENTS: Final[Stored] = {ContentPublished: ("content.published", 1)}
