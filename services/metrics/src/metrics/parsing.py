"""From request fields to checked values; every refusal names its field."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, TypeVar

from eventfold.errors import InvalidInput
from metrics.domain.periods import PERIODS, Period
from metrics.scope import Scope
from servicekit import validate
from servicekit.call import current_call

DEFAULT_CURRENCY: Final = "CNY"
ANY_DAY: Final = date.min
"""Of currencies: orders that moved in may be in one that has ended."""
MAX_ID_CHARS: Final = 200
MAX_TAG_CHARS: Final = 100
MAX_WINDOW_DAYS: Final = 3_660
AS_OF_YEARS: Final = (1970, 2999)

Chosen = TypeVar("Chosen", bound=str)


def as_of(request: Any) -> datetime:
    """The moment that the answer holds for; now, unless given."""
    found = validate.as_of(request.as_of, request.HasField("as_of"), current_call().now)
    validate.between(found.year, "as_of", *AS_OF_YEARS)
    return found


def count(request: Any, field: str, *, least: int = 1, most: int, default: int) -> int:
    """A whole number between bounds; 0 means `default`."""
    value: int = getattr(request, field)
    return validate.between(value, field, least, most) if value else default


def member_id(request: Any) -> str:
    """A member's id."""
    return validate.text(request.member_id, "member_id", max_chars=MAX_ID_CHARS)


def scope(request: Any) -> Scope:
    """The content that figures are of."""
    return Scope(
        validate.text(request.creator_id, "creator_id", min_chars=0, max_chars=MAX_ID_CHARS),
        validate.text(request.content_id, "content_id", min_chars=0, max_chars=MAX_ID_CHARS),
        validate.text(request.tag, "tag", min_chars=0, max_chars=MAX_TAG_CHARS),
    )


def creator_id(request: Any) -> str:
    """A creator's id; empty means all."""
    return validate.text(request.creator_id, "creator_id", min_chars=0, max_chars=MAX_ID_CHARS)


def one_of(request: Any, field: str, known: Sequence[Chosen], default: Chosen) -> Chosen:
    """One of the known words; empty means `default`."""
    value = getattr(request, field) or default
    for one in known:
        if one == value:
            return one
    raise InvalidInput(f"must be one of {', '.join(known)}", field=field)


def period(request: Any, default: Period) -> Period:
    """Day, week or month."""
    return one_of(request, "period", PERIODS, default)


def currency(request: Any) -> str:
    """A currency that is or was in use."""
    return validate.currency(request.currency or DEFAULT_CURRENCY, "currency", ANY_DAY)
