"""What must hold after every single step: the tables and the topics, read once, are held to the model."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from house import House
from memory_kafka import Delivered, Kafka
from shelf import TOPIC
from shelf_model import AUDIT, Model
from shelf_writing import stream_of

from eventfold.publish.publisher import partition_of

_SEEN = """SELECT
  (SELECT jsonb_agg(jsonb_build_array(stream, version, coalesce(data->>'title', 'audit'), partition_key, seq)
          ORDER BY stream, version) FROM events LEFT JOIN event_sequence USING (position)),
  (SELECT coalesce(max(cursor), 0) FROM lease),
  (SELECT jsonb_agg(jsonb_build_array(topic, partition, seq)) FROM fold_position),
  (SELECT jsonb_agg(jsonb_build_array(split_part(shelf, '-', 2), books, digest) ORDER BY shelf) FROM shelf_count),
  (SELECT jsonb_agg(jsonb_build_array(record_key, (headers->>'ce_aggregateversion')::int)) FROM dead_letter),
  (SELECT jsonb_agg(jsonb_build_array(generation, state, predecessor_lost, cursor) ORDER BY generation)
   FROM topic_generation)"""


class Stored(NamedTuple):
    """One event as the store has it."""

    stream: str
    version: int
    title: str
    shelf: str
    seq: int | None


class Generation(NamedTuple):
    """One generation as the emitter recorded it."""

    number: int
    state: str
    predecessor_lost: bool
    cursor: int


class Checks:
    """Holds one consistent reading of the database, and what is on Kafka, to the model."""

    def __init__(self, house: House, kafka: Kafka, model: Model) -> None:
        self._house = house
        self._kafka = kafka
        self._model = model
        self._topic = house.prefix + TOPIC

    async def all_hold(self) -> None:
        """The store has what was committed, each generation can be read without loss, the projection is exact."""
        events, cursor, positions, counts, parked, known = (await self._house.rows(_SEEN))[0]
        stored = [Stored(*row) for row in _listed(events)]
        generations = [Generation(*row) for row in _listed(known)] or [Generation(1, "current", False, 0)]
        self._events_are_what_was_committed(stored)
        self._generations_are_whole(stored, generations, int(str(cursor)))
        self._consume(stored, {(topic, partition): seq for topic, partition, seq in _listed(positions)})
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

    def _generations_are_whole(self, stored: list[Stored], generations: list[Generation], cursor: int) -> None:
        """Each by itself, and what its closing records say of the next."""
        assert [one.state for one in generations].count("current") == 1
        for one in generations:
            name = self._name(one.number)
            if name in self._kafka.topics:
                sent = cursor if one.state == "current" else one.cursor if one.state in ("filling", "filled") else 0
                for partition, log in enumerate(self._kafka.topics[name].partitions):
                    self._partition_is_whole(log, self._due(stored, name, partition), sent)

    def _partition_is_whole(self, log: list[Delivered], due: list[int], sent: int) -> None:
        """A reader that drops what is not above its highest seq sees every event of a partition in order, up to its
        closing record if it has one; whatever a zombie wrote after that is not read."""
        end = next((place for place, record in enumerate(log) if record.closes), len(log))
        closing = [json.loads(record.value or b"") for record in log if record.closes]
        seqs = [record.seq for record in log[:end] if record.key is not None]
        assert set(seqs) <= set(due), "nothing is here that belongs elsewhere"
        fresh = _fresh(seqs)
        assert fresh == due[: len(fresh)], "no event is skipped"
        assert all(seq in fresh for seq in due if seq <= sent), "what the cursor passed is there"
        if closing:
            assert all(said == closing[0] for said in closing), "a generation has one barrier"
            assert fresh == [seq for seq in due if seq <= closing[0]["barrier_seq"]], (
                "closed with all up to the barrier"
            )
            self._goes_on(**closing[0])

    def _goes_on(self, next_topic: str, barrier_seq: int, offsets: list[int], **_: object) -> None:
        """Nothing above the barrier is below the offsets at which handlers go on."""
        after = self._kafka.topics.get(next_topic)
        for partition, offset in enumerate(offsets if after else ()):
            below = (after.partitions[partition] if after else [])[:offset]
            assert len(below) == offset, "the offset is there"
            assert all(record.seq <= barrier_seq for record in below), "what handlers pass over was before the barrier"

    def _due(self, stored: list[Stored], topic: str, partition: int) -> list[int]:
        return sorted(
            event.seq
            for event in stored
            if event.seq is not None and event.title != AUDIT and self._partition(event.shelf, topic) == partition
        )

    def _consume(self, stored: list[Stored], positions: Mapping[tuple[str, int], int]) -> None:
        """The model consumes what the stored positions say is consumed, on whichever generation."""
        topics = {topic for topic, _ in positions}
        counts: dict[str, int] = defaultdict(int)
        for event in stored:
            floor = max((positions.get((topic, self._partition(event.shelf, topic)), 0) for topic in topics), default=0)
            passed = event.seq is not None and event.seq <= floor
            counts[event.shelf] += passed and event.title != AUDIT
        for shelf, count in counts.items():
            self._model.consumed(shelf, count)

    def everything_has_arrived(self) -> None:
        """Only true once relay and workers have come to rest."""
        for shelf in list(self._model.streams):
            assert self._model.keys[shelf].consumed == len(self._model.public(shelf)), f"{shelf} has arrived"

    def _name(self, generation: int) -> str:
        return self._topic if generation == 1 else f"{self._topic}.g{generation}"

    def _partition(self, shelf: str, topic: str) -> int:
        return partition_of(shelf.encode(), self._kafka.partitions_of[topic])


def _fresh(seqs: list[int]) -> list[int]:
    """What a reader keeps that drops everything not above the highest seen."""
    kept: list[int] = []
    for seq in seqs:
        if seq > (kept or [0])[-1]:
            kept.append(seq)
    return kept


def _listed(rows: Any) -> list[Any]:
    return rows or []
