"""Parts of answers as messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from lyceum.common.v1 import common_pb2
from metrics.application.figures import Source
from metrics.domain.windows import Window


def stamp(at: datetime) -> Timestamp:
    """A time as a message."""
    message = Timestamp()
    message.FromDatetime(at)
    return message


def window_message(window: Window) -> common_pb2.Window:
    """A window: `from` its first instant, `to` the first one after it."""
    message = common_pb2.Window(to=stamp(window.end), days=window.days, time_zone=window.zone.key)
    getattr(message, "from").CopyFrom(stamp(window.start))
    return message


def freshness(sources: Sequence[Source]) -> common_pb2.Freshness:
    """How far the projections behind an answer have come."""
    return common_pb2.Freshness(
        sources=[
            common_pb2.FreshnessSource(
                projection=one.projection, topic=one.topic, partition=one.partition, sequence=one.seq,
                applied_at=stamp(one.applied_at),
            )
            for one in sources
        ]
    )  # fmt: skip
