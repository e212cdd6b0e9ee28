"""Compares a relay's topics with its store: records that they hold, records that they lack, and records that they
should not have."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from eventfold import telemetry
from eventfold.errors import HistoryRewound, TopicMisconfigured
from eventfold.measured.ids import event_id_text
from eventfold.postgres.sessions import Connection
from eventfold.publish import history
from eventfold.publish.generations import logical
from eventfold.publish.history import Histories, History
from eventfold.publish.lease import Head
from eventfold.publish.publisher import Record, partition_of
from eventfold.publish.witness import Seen, Tail, Tails
from eventfold.vocabulary.public import TopicPartition
from eventfold.write.rows import IDS

log = logging.getLogger(__name__)

_HEADS = "SELECT topic, partition, seq FROM relay_head"


@dataclass(slots=True)
class Standing:
    """The state of the topics as a term knows it. `written` maps each topic to its name on Kafka and its number of
    written partitions. `highest` is the highest number on each partition. Up to `resend_after`, no partition lacks an
    event."""

    histories: Histories = ()
    written: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    highest: dict[TopicPartition, int] = field(default_factory=dict)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    """The end offset of each partition."""
    resend_after: int = 0

    def history(self, seq: int) -> History:
        """The history to which a number belongs."""
        return history.of_seq(self.histories, seq)

    def place(self, record: Record) -> TopicPartition:
        """The partition of a record."""
        name, partitions = self.written[record.topic]
        return name, partition_of(record.key, partitions)

    def heads(self) -> list[Head]:
        """A head of 0 for each partition. It records how many partitions there are, and does not lower heads already
        recorded."""
        return [(name, partition, 0) for name, count in self.written.values() for partition in range(count)]

    def whole(self) -> None:
        """Nothing is missing any more."""
        for name, _ in self.written.values():
            telemetry.TOPIC_SHORT.labels(name).set(0)


async def compare(
    conn: Connection,
    names: Mapping[str, str],
    kafka: Mapping[str, int],
    tails: Tails,
    cursor: int,
    suspects: Collection[TopicPartition],
) -> Standing:
    """Compare the topics with the store. `names` maps topics to their names on Kafka, `kafka` these names to their
    numbers of partitions. Everything up to `cursor` was acknowledged. Records on `suspects` do not count.

    Raises `HistoryRewound` if a topic holds events that the store does not, `TopicMisconfigured` if it has fewer
    partitions than before, and `KafkaError`.
    """
    heads = {(topic, partition): seq for topic, partition, seq in await (await conn.execute(_HEADS)).fetchall()}
    counts = {name: _recorded(name, heads, kafka[name]) for name in names.values()}
    places = [(name, partition) for name, count in counts.items() for partition in range(count)]
    found = await tails(places)
    known = await history.load(conn)
    await check(conn, known, found)
    highest = {place: tail.last.seq if tail.last and place not in suspects else 0 for place, tail in found.items()}
    lacking = {place: heads.get(place, 0) for place in places if highest[place] < heads.get(place, 0)}
    _tell_lacking(lacking, highest)
    after = min([cursor, *(highest[place] for place in lacking)])
    written = {topic: (name, counts[name]) for topic, name in names.items()}
    return Standing(
        histories=known,
        written=written,
        highest=highest,
        ends={place: tail.end for place, tail in found.items()},
        resend_after=after,
    )


def _recorded(name: str, heads: Mapping[TopicPartition, int], existing: int) -> int:
    """The number of partitions to write. Partitions added by other tools are not written: the events of a key would be
    on two partitions."""
    recorded = sum(topic == name for topic, _ in heads) or existing
    if existing < recorded:
        raise TopicMisconfigured(name, f"has {existing} partitions, {recorded} are on record: make it anew with these")
    if existing > recorded:
        log.error(
            "topic %s has %d partitions, %d are on record: only these are written; run `replay %s --partitions %d`",
            name,
            existing,
            recorded,
            logical(name),
            existing,
        )
    return recorded


def _tell_lacking(lacking: Mapping[TopicPartition, int], highest: Mapping[TopicPartition, int]) -> None:
    for (name, partition), head in lacking.items():
        log.error(
            "%s[%d] ends with event %d, up to %d was acknowledged: what is missing is sent again",
            name,
            partition,
            highest[name, partition],
            head,
        )
        telemetry.RELAY_SENT_AGAIN.labels(name).inc()
    for name in {name for name, _ in highest}:
        telemetry.TOPIC_SHORT.labels(name).set(sum(topic == name for topic, _ in lacking))


async def check(conn: Connection, histories: Histories, found: Mapping[TopicPartition, Tail]) -> None:
    """Raise `HistoryRewound` unless the store has the last event of every partition."""
    last = await history.last_seq(conn)
    ids = await ids_of(conn, histories, [tail.last.seq for tail in found.values() if tail.last])
    for (topic, partition), tail in found.items():
        if tail.last and not agrees(tail.last, ids, histories):
            raise HistoryRewound(topic, partition, tail.last.seq, last)


async def ids_of(conn: Connection, histories: Histories, seqs: Sequence[int]) -> dict[int, str]:
    """The id of each event that the store has under one of these numbers."""
    rows = await (await conn.execute(IDS, [list(seqs)])).fetchall()
    return {seq: event_id_text(stream, version, history.of_seq(histories, seq).salt) for seq, stream, version in rows}


def agrees(record: Seen, ids: Mapping[int, str], histories: Histories) -> bool:
    """Whether the store has the event of the record, under its number and in a known history."""
    known = record.history is None or any(one.nonce == record.history for one in histories)
    return known and ids.get(record.seq) == record.id
