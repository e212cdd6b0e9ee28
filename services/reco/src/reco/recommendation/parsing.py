"""From requests to checked wishes; every refusal names its field."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from eventfold.errors import InvalidInput
from lyceum.reco.v1 import reco_pb2 as pb
from reco.recommendation.application.eligibility import Filters
from reco.recommendation.application.experiments import METHODS
from servicekit import validate

DEFAULT_ITEMS, MAX_ITEMS = 10, 100
MAX_ID_CHARS = 200
MAX_LABEL_CHARS = 50
DEFAULT_SLOT: Final = "home"
DEFAULT_HALF_LIFE_HOURS, MAX_HALF_LIFE_HOURS = 72, 8_760
MAX_WINDOW: Final = timedelta(days=92)
KINDS: Final = ("", "text", "image", "audio", "video", "course")
ACCESSES: Final = ("", "free", "paid")


def member_id(named: str, caller: str) -> str:
    """The member in question: the named one, else the caller."""
    return validate.text(named or caller, "member_id", max_chars=MAX_ID_CHARS)


def content_id(value: str) -> str:
    """The id of a content."""
    return validate.text(value, "content_id", max_chars=MAX_ID_CHARS)


def limit(value: int) -> int:
    """How many items; 0 means `DEFAULT_ITEMS`."""
    return DEFAULT_ITEMS if value == 0 else validate.between(value, "limit", 1, MAX_ITEMS)


def as_of(request: Any) -> datetime | None:
    """The moment that the query looks at; None if it is now."""
    return validate.utc(request.as_of, "as_of") if request.HasField("as_of") else None


def method(value: str) -> str:
    """The method that was asked for; empty if none was."""
    return validate.one_of(value, "method", METHODS) if value else ""


def slot(value: str) -> str:
    """Where the answer is shown."""
    return validate.line(value or DEFAULT_SLOT, "slot", max_chars=MAX_LABEL_CHARS)


def filters(request: pb.RecommendRequest) -> Filters:
    """The filters of a recommendation."""
    return Filters(
        creator_id=validate.text(request.creator_id, "creator_id", min_chars=0, max_chars=MAX_ID_CHARS),
        category=validate.text(request.category, "category", min_chars=0, max_chars=MAX_LABEL_CHARS),
        tag=validate.text(request.tag, "tag", min_chars=0, max_chars=MAX_LABEL_CHARS),
        kind=validate.one_of(request.kind, "kind", KINDS),
        access=validate.one_of(request.access, "access", ACCESSES),
    )


def scope(request: pb.ListTrendingRequest) -> Filters:
    """The filters of what is trending."""
    return Filters(
        creator_id=validate.text(request.creator_id, "creator_id", min_chars=0, max_chars=MAX_ID_CHARS),
        category=validate.text(request.category, "category", min_chars=0, max_chars=MAX_LABEL_CHARS),
        tag=validate.text(request.tag, "tag", min_chars=0, max_chars=MAX_LABEL_CHARS),
    )


def window(request: pb.ListOutcomesRequest, now: datetime, kept: timedelta) -> tuple[datetime, datetime]:
    """The times between which answers are looked at. Raises `InvalidInput` where they are in the wrong order or too far
    apart, or begin before what is `kept`: some of the answers would be missing."""
    start = validate.utc(getattr(request, "from"), "from")
    end = validate.utc(request.to, "to") if request.HasField("to") else now
    if not timedelta(0) < end - start <= MAX_WINDOW:
        raise InvalidInput(f"must be after `from`, by at most {MAX_WINDOW.days} days", field="to")
    if start < now - kept:
        raise InvalidInput(f"must be within the last {kept.days} days: impressions are kept so long", field="from")
    return start, end


def half_life_us(value: int) -> float:
    """The half-life of what is trending, from hours; 0 means `DEFAULT_HALF_LIFE_HOURS`."""
    hours = value or DEFAULT_HALF_LIFE_HOURS
    return validate.between(hours, "half_life_hours", 1, MAX_HALF_LIFE_HOURS) * 3_600_000_000.0
