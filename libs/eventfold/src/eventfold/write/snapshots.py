"""States of streams, remembered so that long streams are not read from their beginning each time.

There are two caches, and either may be dropped at any time. One is in memory, for stream types that ask for it: it
holds the streams on which this process decided last. The other is the table `snapshot`, for stream types that ask for
that. Events committed up to a version never change, so only later events must be read. But a database can fall back
behind a running process (a restore, a standby that lacked the last commits). So a state in memory counts only while its
last event is still in the store.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from eventfold.measured.arrays import literals
from eventfold.vocabulary.codec import json_converter
from eventfold.vocabulary.decider import Address, Ask, SnapshotPolicy
from eventfold.vocabulary.exact import Checks, Inexact
from eventfold.write.rows import RECORDED_AT, VERSION, StoredRow

log = logging.getLogger(__name__)

MAX_STREAMS_IN_MEMORY = 2000
MAX_BYTES_IN_MEMORY = 64 * 1024 * 1024
"""Limit for the remembered states, measured by their text form: about their real size."""

LOAD = """SELECT s.stream, s.schema_version, s.version, s.state FROM snapshot s WHERE s.stream = ANY(%s)"""
SAVE = """INSERT INTO snapshot AS s (stream, schema_version, version, state)
SELECT * FROM unnest(%s::text[], %s::int[], %s::int[], %s::text[]::jsonb[])
ON CONFLICT (stream) DO UPDATE
SET schema_version = EXCLUDED.schema_version, version = EXCLUDED.version, state = EXCLUDED.state
WHERE (s.schema_version, s.version) < (EXCLUDED.schema_version, EXCLUDED.version)"""


class Known(NamedTuple):
    """The state of a stream after its first `version` events. The last of them was recorded at `recorded_at`; None if
    nobody needs to know."""

    version: int
    state: Any
    recorded_at: datetime | None = None

    def still_there(self, rows: Sequence[StoredRow]) -> bool:
        """Whether `rows`, read from the last known event on, begin with that event."""
        return bool(rows) and (rows[0][VERSION], rows[0][RECORDED_AT]) == (self.version, self.recorded_at)


class StateCache:
    """Committed states of at most `limit` streams and `limit_bytes`. The least recently used state is dropped first. A
    state larger than a quarter of `limit_bytes` is not kept. Not thread-safe.

    A state is measured when it is new, and again when its stream has doubled in length. So measuring costs little per
    event.
    """

    def __init__(self, limit: int = MAX_STREAMS_IN_MEMORY, limit_bytes: int = MAX_BYTES_IN_MEMORY) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._weighed: dict[str, tuple[int, int]] = {}
        self._bytes = 0

    def get(self, stream: str) -> Known | None:
        """The remembered state of the stream, if any."""
        if stream in self._known:
            self._known.move_to_end(stream)
        return self._known.get(stream)

    def put(self, stream: str, known: Known) -> None:
        """Remember a committed state. It is ignored if a newer one is known already."""
        present = self._known.get(stream)
        if present is None or present.version < known.version:
            self._known[stream] = known
            self._known.move_to_end(stream)
            self._weigh(stream, known)
        while len(self._known) > self._limit or self._bytes > self._limit_bytes:
            self.forget(next(iter(self._known)))

    def _weigh(self, stream: str, known: Known) -> None:
        at_version, before = self._weighed.get(stream, (0, 0))
        if known.version < 2 * at_version:
            return
        weight = len(repr(known.state))
        self._weighed[stream] = (known.version, weight)
        self._bytes += weight - before
        if weight > self._limit_bytes // 4:
            self.forget(stream)

    def forget(self, stream: str) -> None:
        """Drop the remembered state of the stream: it is wrong, or not to be kept."""
        self._known.pop(stream, None)
        _, weight = self._weighed.pop(stream, (0, 0))
        self._bytes -= weight


_CONVERTER = json_converter()
_CHECKS = Checks(_CONVERTER)


def restored(rows: Sequence[tuple[str, int, int, Any]], addressed: Mapping[str, Address]) -> dict[str, Known]:
    """Rows of `LOAD` as states. Rows with another `schema_version` than their policy's are left out."""
    found = {}
    for stream, schema_version, version, state in rows:
        policy = addressed[stream].stream_type.snapshots
        if policy is not None and policy.schema_version == schema_version:
            found[stream] = Known(version, _CONVERTER.structure(state, policy.state_type))
    return found


def due(before: Mapping[str, Known], after: Mapping[str, Known], asks: Mapping[str, Ask]) -> list[str]:
    """Columns for `SAVE`: the streams that have passed a multiple of their policy's `every_events`. Empty if none has.

    A state that would be read back as another is not stored, and this is logged: its stream is then read from further
    back.
    """
    rows = [
        (stream, policy.schema_version, known.version, _dumped(known.state, policy))
        for stream, known in sorted(after.items())
        if (policy := asks[stream].stream_type.snapshots)
        and before[stream].version // policy.every_events < known.version // policy.every_events
        and _survives(stream, known.state, policy)
    ]
    return literals(("text", "int", "int", "text"), rows) if rows else []


def _survives(stream: str, state: Any, policy: SnapshotPolicy) -> bool:
    try:
        _CHECKS.of(policy.state_type)(state)
    except Inexact as inexact:
        log.warning("no snapshot is kept", extra={"stream": stream, "reason": str(inexact)})
        return False
    return True


def _dumped(state: Any, policy: SnapshotPolicy) -> str:
    return orjson.dumps(_CONVERTER.unstructure(state, policy.state_type)).decode()
