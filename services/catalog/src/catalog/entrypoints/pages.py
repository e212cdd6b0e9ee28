"""Opaque page tokens."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

import orjson

from catalog.adapters.queries import Place
from eventfold.errors import InvalidInput


def page_token(place: Place) -> str:
    """Text for `next_page_token`."""
    return base64.urlsafe_b64encode(orjson.dumps([place.at.isoformat(), place.id])).decode()


def parse_page_token(token: str) -> Place | None:
    """Inverse of `page_token`; None for the first page. Raises `InvalidInput`."""
    if not token:
        return None
    try:
        at, row_id = orjson.loads(base64.urlsafe_b64decode(token.encode()))
        place = Place(datetime.fromisoformat(at), str(row_id))
        if place.at.tzinfo is None or "\x00" in place.id:
            raise ValueError("no token of ours has such a place")
        return place
    except (ValueError, TypeError, binascii.Error) as failure:
        raise InvalidInput("is not a page token of this list", field="page_token") from failure
