"""Parts of answers that are common to all."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from lyceum.common.v1 import common_pb2
from metrics.domain.windows import Window
from metrics.reading import Reading, Source
from servicekit import times
from servicekit.times import stamp


def window_message(window: Window) -> common_pb2.Window:
    """A window: `from` is its first instant, `to` the first instant after it."""
    message = common_pb2.Window(to=stamp(window.end), days=window.days, time_zone=window.zone.key)
    getattr(message, "from").CopyFrom(stamp(window.start))
    return message


async def fresh(reading: Reading, *projections: str) -> common_pb2.Freshness:
    """How far the projections behind an answer have folded."""
    return freshness(await reading.sources(projections))


def freshness(sources: Iterable[Source]) -> common_pb2.Freshness:
    """The same, of sources that were read already."""
    return times.freshness((one.projection, one) for one in sources)


def day_text(day: date) -> str:
    """A calendar day as YYYY-MM-DD."""
    return day.isoformat()
