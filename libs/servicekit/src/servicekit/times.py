"""Times on the wire, and how up to date the sources of an answer are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from lyceum.common.v1 import common_pb2
from servicekit.call import present_call
from servicekit.policy import OPERATORS


def stamp(at: datetime) -> Timestamp:
    """The protobuf form of a time."""
    message = Timestamp()
    message.FromDatetime(at)
    return message


def timestamp(at: datetime | None) -> Timestamp | None:
    """The protobuf form of a time; None stays unset."""
    return stamp(at) if at else None


class Progress(Protocol):
    """How far a projection has come on one partition."""

    @property
    def topic(self) -> str:
        """The topic."""

    @property
    def partition(self) -> int:
        """The partition."""

    @property
    def seq(self) -> int:
        """The last applied sequence."""

    @property
    def applied_at(self) -> datetime:
        """When it was applied."""


def freshness(progress: Iterable[tuple[str, Progress]]) -> common_pb2.Freshness:
    """How far each named projection behind an answer has come. Sequences tell how much happens on the platform: only
    operators see them, and for everybody else they are 0."""
    call = present_call()
    to_operator = bool(call and call.caller and call.caller.role in OPERATORS)
    sources = [
        common_pb2.FreshnessSource(
            projection=name,
            topic=one.topic,
            partition=one.partition,
            sequence=one.seq if to_operator else 0,
            applied_at=stamp(one.applied_at),
        )
        for name, one in progress
    ]
    return common_pb2.Freshness(sources=sources)
