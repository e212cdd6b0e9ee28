"""States of streams, remembered so that long ones are not read from their beginning each time.

Two caches, either of which may be dropped at any time: in memory, for the streams that this process last wrote; and in
the table `snapshot`, for stream types that ask for it. What was committed up to a version never changes, so a state
that is remembered with its version is always right; only what came after it must be read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from eventfold.codec import json_converter
from eventfold.decider import Ask, SnapshotPolicy

MAX_STREAMS_IN_MEMORY = 2000

LOAD = """SELECT s.stream, s.schema_version, s.version, s.state FROM snapshot s WHERE s.stream = ANY(%s)"""
SAVE = """INSERT INTO snapshot AS s (stream, schema_version, version, state)
SELECT * FROM unnest(%s::text[], %s::int[], %s::int[], %s::text[]::jsonb[])
ON CONFLICT (stream) DO UPDATE
SET schema_version = EXCLUDED.schema_version, version = EXCLUDED.version, state = EXCLUDED.state
WHERE (s.schema_version, s.version) < (EXCLUDED.schema_version, EXCLUDED.version)"""


class Known(NamedTuple):
    """The state of a stream after its first `version` events."""

    version: int
    state: Any


class StateCache:
    """Committed states of at most `limit` streams, the least recently used of which goes first. Not thread-safe."""

    def __init__(self, limit: int = MAX_STREAMS_IN_MEMORY) -> None:
        self._limit = limit
        self._known: OrderedDict[str, Known] = OrderedDict()

    def get(self, stream: str) -> Known | None:
        """What is remembered of the stream."""
        if stream in self._known:
            self._known.move_to_end(stream)
        return self._known.get(stream)

    def put(self, stream: str, known: Known) -> None:
        """Remember a committed state; an older one than is known already is ignored."""
        present = self._known.get(stream)
        if present is None or present.version < known.version:
            self._known[stream] = known
            self._known.move_to_end(stream)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)


_CONVERTER = json_converter()


def restored(rows: Sequence[tuple[str, int, int, Any]], asks: Mapping[str, Ask]) -> dict[str, Known]:
    """Rows of `LOAD` as states; those of another version of their policy are left out."""
    found = {}
    for stream, schema_version, version, state in rows:
        policy = asks[stream].stream_type.snapshots
        if policy is not None and policy.schema_version == schema_version:
            found[stream] = Known(version, _CONVERTER.structure(state, policy.state_type))
    return found


def due(before: Mapping[str, Known], after: Mapping[str, Known], asks: Mapping[str, Ask]) -> list[list[Any]]:
    """Columns for `SAVE`: streams that have passed a multiple of their policy's `every_events`. Empty if none has."""
    rows = [
        (stream, policy.schema_version, known.version, _dumped(known.state, policy))
        for stream, known in sorted(after.items())
        if (policy := asks[stream].stream_type.snapshots)
        and before[stream].version // policy.every_events < known.version // policy.every_events
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def _dumped(state: Any, policy: SnapshotPolicy) -> str:
    return orjson.dumps(_CONVERTER.unstructure(state, policy.state_type)).decode()
