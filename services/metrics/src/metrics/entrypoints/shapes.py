"""Parts of answers as messages."""

from __future__ import annotations

from collections.abc import Iterable

from lyceum.common.v1 import common_pb2
from metrics.application.figures import Source
from metrics.domain.windows import Window
from servicekit import times
from servicekit.times import stamp


def window_message(window: Window) -> common_pb2.Window:
    """A window: `from` is its first instant, `to` the first instant after it."""
    message = common_pb2.Window(to=stamp(window.end), days=window.days, time_zone=window.zone.key)
    getattr(message, "from").CopyFrom(stamp(window.start))
    return message


def freshness(sources: Iterable[Source]) -> common_pb2.Freshness:
    """How far the projections behind an answer have folded."""
    return times.freshness((one.projection, one) for one in sources)
