"""What must hold after every single step: the tables and the log, read once, are held to the model."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from house import House
from memory_kafka import Log
from shelf_model import AUDIT, Model
from shelf_writing import stream_of

from eventfold.publish import partition_of

_SEEN = """SELECT
  (SELECT jsonb_agg(jsonb_build_array(stream, version, coalesce(data->>'title', 'audit'), partition_key, seq)
          ORDER BY stream, version) FROM events),
  (SELECT coalesce(max(cursor), 0) FROM lease),
  (SELECT jsonb_object_agg(partition, seq) FROM fold_position),
  (SELECT jsonb_agg(jsonb_build_array(split_part(shelf, '-', 2), books, digest) ORDER BY shelf) FROM shelf_count),
  (SELECT jsonb_agg(jsonb_build_array(record_key, (headers->>'ce_aggregateversion')::int)) FROM dead_letter)"""


class Stored(NamedTuple):
    """One event as the store has it."""

    stream: str
    version: int
    title: str
    shelf: str
    seq: int | None


class Checks:
    """Holds one consistent reading of the database, and the log, to the model."""

    def __init__(self, house: House, log: Log, model: Model) -> None:
        self._house = house
        self._log = log
        self._model = model

    async def all_hold(self) -> None:
        """The store has what was committed, the topic can be read without loss, the projection is exact."""
        events, cursor, positions, counts, parked = (await self._house.rows(_SEEN))[0]
        stored = [Stored(*row) for row in _listed(events)]
        self._events_are_what_was_committed(stored)
        self._log_is_made_of_unbroken_runs(stored, int(str(cursor)))
        self._consume(stored, {int(partition): seq for partition, seq in _object(positions).items()})
        assert sorted(tuple(row) for row in _listed(counts)) == self._model.rows()
        assert sorted(tuple(row) for row in _listed(parked)) == self._model.parked()

    def _events_are_what_was_committed(self, stored: list[Stored]) -> None:
        found: dict[str, list[Stored]] = defaultdict(list)
        for event in stored:
            found[event.stream].append(event)
        expected = {stream_of(shelf): titles for shelf, titles in self._model.streams.items() if titles}
        assert {stream: [event.title for event in events] for stream, events in found.items()} == expected
        for events in found.values():
            assert [event.version for event in events] == list(range(1, len(events) + 1)), "versions are dense"
            seqs = [event.seq for event in events if event.seq is not None]
            assert seqs == sorted(seqs), "streams are sequenced in order"
        together = sorted(event.seq for event in stored if event.seq is not None)
        assert together == list(range(1, len(together) + 1)), "the sequence is dense"

    def _log_is_made_of_unbroken_runs(self, stored: list[Stored], cursor: int) -> None:
        """A reader that drops what is not above its highest seq sees every event of a partition in order."""
        for partition, log in enumerate(self._log.partitions):
            due = sorted(
                event.seq for event in stored
                if event.seq is not None and event.title != AUDIT and self._partition(event.shelf) == partition
            )  # fmt: skip
            fresh = _fresh([record.seq for record in log])
            assert fresh == due[: len(fresh)], "no event is skipped"
            assert all(seq in fresh for seq in due if seq <= cursor), "what the cursor passed is there"

    def _consume(self, stored: list[Stored], positions: dict[int, int]) -> None:
        """The model consumes what the stored positions say is consumed."""
        counts: dict[str, int] = defaultdict(int)
        for event in stored:
            passed = event.seq is not None and event.seq <= positions.get(self._partition(event.shelf), 0)
            counts[event.shelf] += passed and event.title != AUDIT
        for shelf, count in counts.items():
            self._model.consumed(shelf, count)

    def everything_has_arrived(self) -> None:
        """Only true once relay and workers have come to rest."""
        for shelf in list(self._model.streams):
            assert self._model.keys[shelf].consumed == len(self._model.public(shelf)), f"{shelf} has arrived"

    def _partition(self, shelf: str) -> int:
        return partition_of(shelf.encode(), len(self._log.partitions))


def _fresh(seqs: list[int]) -> list[int]:
    """What a reader keeps that drops everything not above the highest seen."""
    kept: list[int] = []
    for seq in seqs:
        if seq > (kept or [0])[-1]:
            kept.append(seq)
    return kept


def _listed(rows: Any) -> list[Any]:
    return rows or []


def _object(value: Any) -> dict[str, Any]:
    return value or {}
