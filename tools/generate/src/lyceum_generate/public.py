"""The public type of each private event, found by giving a sample to each service's own mapping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from eventfold import Context, Recorded, StreamType
from lyceum_generate.services import definitions, stream_types
from lyceum_generate.stored import SAMPLED_AT, sample

STREAM_ID = "owner/part"
"""A stream id that works for every partition key function: some use a part of the id."""


@dataclass(frozen=True)
class Emitted:
    """A public type, the service that emits it, and its private event and stream type."""

    public_type: str
    service: str
    event: type[Any]
    stream_type: StreamType[Any, Any, Any]

    def recorded(self, context: Context, *, version: int = 1, seq: int | None = None) -> Recorded:
        """A sample of the private event as the store would give it."""
        return _recorded(self.service, self.event, self.stream_type, context, version, seq)


@cache
def emitted(service: str) -> tuple[Emitted, ...]:
    """The public types of a service, by name."""
    context = Context(now=SAMPLED_AT, actor="sample", correlation_id="sample")
    found = []
    for event, kind in stream_types(service).items():
        public = definitions()[service].to_public(_recorded(service, event, kind, context, 1, None))
        if public is not None:
            found.append(Emitted(public.type, service, event, kind))
    return tuple(sorted(found, key=lambda one: one.public_type))


def _recorded(
    service: str, event: type[Any], kind: StreamType[Any, Any, Any], context: Context, version: int, seq: int | None
) -> Recorded:
    name = definitions()[service].codec.types[event][0]
    return Recorded(
        stream=kind.stream(STREAM_ID),
        version=version,
        event=sample(event),
        type=name,
        partition_key=kind.partition_key(STREAM_ID),
        occurred_at=context.occurred_at or context.now,
        recorded_at=context.now,
        meta=context.meta(),
        position=None,
        seq=seq,
    )
