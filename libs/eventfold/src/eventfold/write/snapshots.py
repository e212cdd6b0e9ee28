"""States of streams, remembered so that long ones are not read from their beginning each time.

Two caches, either of which may be dropped at any time: in memory, for the streams of types that ask for it, upon which
this process last decided; and in the table `snapshot`, for stream types that ask for that. What was committed up to a
version never changes, so only what came after it must be read. A database can fall back, though, behind a process that
goes on (a restore, a standby that lacked the last commits): a state in memory counts only while its last event is still
there.
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
"""Of remembered states, as they would be spelt out: about what they take."""

LOAD = """SELECT s.stream, s.schema_version, s.version, s.state FROM snapshot s WHERE s.stream = ANY(%s)"""
SAVE = """INSERT INTO snapshot AS s (stream, schema_version, version, state)
SELECT * FROM unnest(%s::text[], %s::int[], %s::int[], %s::text[]::jsonb[])
ON CONFLICT (stream) DO UPDATE
SET schema_version = EXCLUDED.schema_version, version = EXCLUDED.version, state = EXCLUDED.state
WHERE (s.schema_version, s.version) < (EXCLUDED.schema_version, EXCLUDED.version)"""


class Known(NamedTuple):
    """The state of a stream after its first `version` events, the last of which was recorded at `recorded_at`; None
    where nobody needs to know."""

    version: int
    state: Any
    recorded_at: datetime | None = None

    def still_there(self, rows: Sequence[StoredRow]) -> bool:
        """Whether `rows`, read from the last known event on, begin with it."""
        return bool(rows) and (rows[0][VERSION], rows[0][RECORDED_AT]) == (self.version, self.recorded_at)


class StateCache:
    """Committed states of at most `limit` streams and `limit_bytes`, the least recently used of which goes first; one
    that alone has more than a quarter of that is not kept. Not thread-safe.

    A state is weighed when it is new and when its stream has doubled since, so that it costs little for each event.
    """

    def __init__(self, limit: int = MAX_STREAMS_IN_MEMORY, limit_bytes: int = MAX_BYTES_IN_MEMORY) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._weighed: dict[str, tuple[int, int]] = {}
        self._bytes = 0

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
        """What was known of the stream is not so, or not kept."""
        self._known.pop(stream, None)
        _, weight = self._weighed.pop(stream, (0, 0))
        self._bytes -= weight


_CONVERTER = json_converter()
_CHECKS = Checks(_CONVERTER)


def restored(rows: Sequence[tuple[str, int, int, Any]], addressed: Mapping[str, Address]) -> dict[str, Known]:
    """Rows of `LOAD` as states; those of another version of their policy are left out."""
    found = {}
    for stream, schema_version, version, state in rows:
        policy = addressed[stream].stream_type.snapshots
        if policy is not None and policy.schema_version == schema_version:
            found[stream] = Known(version, _CONVERTER.structure(state, policy.state_type))
    return found


def due(before: Mapping[str, Known], after: Mapping[str, Known], asks: Mapping[str, Ask]) -> list[str]:
    """Columns for `SAVE`: streams that have passed a multiple of their policy's `every_events`. Empty if none has.

    A state that would be read as another is not kept, and that is logged: its stream is read from further back.
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
