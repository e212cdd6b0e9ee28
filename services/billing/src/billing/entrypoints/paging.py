"""Page tokens: the time and id of a page's last row, opaque to clients."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from eventfold.errors import InvalidInput

After = tuple[datetime, str]
Row = TypeVar("Row")


def decode(token: str) -> After | None:
    """Where a page continues; None for the first. Raises `InvalidInput` for what is not one of our tokens."""
    if not token:
        return None
    try:
        at, row_id = base64.urlsafe_b64decode(token.encode("ascii")).decode().split("|", 1)
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or "\x00" in row_id:
            raise ValueError("not from here")
        return moment, row_id
    except (ValueError, binascii.Error) as failure:
        raise InvalidInput("not a page token", field="page_token") from failure


def next_token(rows: Sequence[Row], limit: int, last: After | None) -> str:
    """The token of the next page; empty when `rows`, asked for with `limit`, are the last ones."""
    if len(rows) < limit or last is None:
        return ""
    return base64.urlsafe_b64encode(f"{last[0].isoformat()}|{last[1]}".encode()).decode()
