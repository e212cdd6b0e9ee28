"""Times as counts of microseconds and as text. They are computed for each record sent.

PostgreSQL holds a time as a count of microseconds; turning it into text takes less time than turning a `datetime` into
text.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECONDS_REMEMBERED = 4096
"""Number of seconds whose text is cached: most events of a batch share one."""

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_INT8 = struct.Struct(">q")
_FROM_1970_TO_2000_US = 946_684_800_000_000


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def at_us(since_1970_us: int) -> datetime:
    """Inverse of `micros`, in UTC."""
    return _EPOCH + timedelta(microseconds=since_1970_us)


def sent_us(at: bytes) -> int:
    """Microseconds since 1970 from the bytes of PostgreSQL's `timestamptz_send`, which counts from 2000."""
    return int(_INT8.unpack(at)[0]) + _FROM_1970_TO_2000_US


def rfc3339(at: datetime) -> str:
    """UTC timestamp in the form of CloudEvents, with microseconds."""
    return timestamp(micros(at)).decode()


def timestamp(since_1970_us: int) -> bytes:
    """`plain_timestamp`, with the text of each second cached."""
    second, rest_us = divmod(since_1970_us, 1_000_000)
    return b"%b.%06dZ" % (_second(second), rest_us)


def plain_timestamp(since_1970_us: int) -> bytes:
    """UTC timestamp in the form of CloudEvents, with microseconds, from microseconds since 1970."""
    return at_us(since_1970_us).replace(tzinfo=None).isoformat(timespec="microseconds").encode() + b"Z"


@lru_cache(SECONDS_REMEMBERED)
def _second(since_1970_s: int) -> bytes:
    return (_EPOCH + timedelta(seconds=since_1970_s)).isoformat()[: len("1970-01-01T00:00:00")].encode()
