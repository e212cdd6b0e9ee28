"""Checks before the insert that PostgreSQL keeps an event as it is, so that one event does not spoil others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from eventfold.errors import Unrecordable
from eventfold.vocabulary import exact
from eventfold.vocabulary.decider import Recorded
from eventfold.vocabulary.exact import Inexact

MAX_NAME_BYTES = 1000
"""Limit for a stream name or partition key. A PostgreSQL index takes 2,704 bytes for all its columns."""
MAX_DATA_BYTES = 16 * 1024 * 1024
"""Limit for an event as JSON."""
_NUL = b"\\u0000"
MAX_VERSION = 2**31 - 1
EARLIEST, LATEST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)
"""A time between these can be written in any zone."""


def may_exist(stream: str) -> bool:
    """Whether a stream of this name can exist. For any other name there is nothing to read, and PostgreSQL would refuse
    the query: its text has no NUL and no lone surrogates."""
    if stream.isascii():
        return "\x00" not in stream
    try:
        return b"\x00" not in stream.encode()
    except UnicodeEncodeError:
        return False


def check_envelope(recorded: Recorded) -> bytes:
    """The meta of an event as JSON. Raises `Unrecordable` if the meta, a name or a time would not be read back
    unchanged."""
    try:
        names = recorded.stream + recorded.partition_key
        if len(names) > MAX_NAME_BYTES or not names.isascii() or "\x00" in names:  # else both are fine
            _name(recorded.stream, "stream")
            _name(recorded.partition_key, "partition_key")
        _time(recorded.occurred_at, "occurred_at")
        if recorded.recorded_at is not recorded.occurred_at:
            _time(recorded.recorded_at, "recorded_at")
        written = _surroundings(recorded.meta)
    except Inexact as inexact:
        raise Unrecordable(recorded.type, inexact.path, inexact.reason) from inexact
    if recorded.version > MAX_VERSION:
        raise Unrecordable(recorded.type, "version", f"its stream has {MAX_VERSION} events")
    return written


def _surroundings(meta: Mapping[str, Any]) -> bytes:
    """The meta as JSON. It is text for every event, so it is checked closely only if a look at the whole calls for
    it."""
    try:
        written = orjson.dumps(meta)
    except TypeError as failure:
        exact.json(meta)
        raise Inexact("cannot be written as JSON", "meta") from failure
    if _NUL in written:
        exact.json(meta)
    return written


def check_size(recorded: Recorded, data: bytes) -> None:
    """Raise `Unrecordable` if the event as JSON has more than `MAX_DATA_BYTES`."""
    if len(data) > MAX_DATA_BYTES:
        raise Unrecordable(recorded.type, "", f"its {len(data)} bytes as JSON exceed {MAX_DATA_BYTES}")


def _name(value: str, field: str) -> None:
    try:
        exact.text(value)
    except Inexact as inexact:
        raise inexact.within(field) from inexact
    if len(value) * 4 > MAX_NAME_BYTES and len(value.encode()) > MAX_NAME_BYTES:
        raise Inexact(f"has more than {MAX_NAME_BYTES} bytes", field)


def _time(value: datetime, field: str) -> None:
    if value.tzinfo is None or value.utcoffset() is None or not EARLIEST <= value <= LATEST:
        raise Inexact("has no zone, or lies outside the years 1 to 9999", field)
