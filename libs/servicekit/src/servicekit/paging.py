"""Pages of a list ordered by time and id. The token is the place of the last row, opaque to clients."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

import orjson
from google.protobuf.message import Message

from eventfold.errors import InvalidInput
from servicekit import answers

Row = TypeVar("Row")
Answered = TypeVar("Answered", bound=Message)


class PageStart(NamedTuple):
    """Where a page ended: time and id of its last row."""

    at: datetime
    id: str


def page_token(place: PageStart) -> str:
    """Text for `next_page_token`."""
    return base64.urlsafe_b64encode(orjson.dumps([place.at.isoformat(), place.id])).decode()


def parse_page_token(token: str) -> PageStart | None:
    """Inverse of `page_token`; None for the first page. Raises `InvalidInput`."""
    if not token:
        return None
    try:
        at, row_id = orjson.loads(base64.urlsafe_b64decode(token.encode()))
        place = PageStart(datetime.fromisoformat(at), str(row_id))
        if place.at.tzinfo is None or "\x00" in place.id:
            raise ValueError("no token of ours has such a place")
        return place
    except (ValueError, TypeError, binascii.Error) as failure:
        raise InvalidInput("is not a page token of this list", field="page_token") from failure


def page(
    rows: Sequence[Row], limit: int, place_of: Callable[[Row], PageStart], message_of: Callable[[Row], Answered]
) -> tuple[list[Answered], str]:
    """The messages of a page and the token of the next page, which is empty after the last. Query `limit + 1` rows.

    A page has at most `limit` rows, and at most `answers.MAX_PAGE_BYTES` as JSON unless its first row alone has more.
    """
    messages = [message_of(row) for row in rows[:limit]]
    count = answers.fitting(messages)
    following = page_token(place_of(rows[count - 1])) if len(rows) > count else ""
    return messages[:count], following
