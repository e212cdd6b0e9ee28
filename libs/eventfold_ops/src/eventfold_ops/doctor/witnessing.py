"""Compares the topics with the store: they end where the store says, and hold each of its events once, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from eventfold import Connection
from eventfold.publish import generations, history, standing, witness
from eventfold.publish.outgoing import TO_SEND, envelope_to_send, recorded_to_send
from eventfold.publish.publisher import Record, partition_of
from eventfold.publish.witness import Tail
from eventfold.vocabulary.public import TopicPartition
from eventfold.write.rows import AFTER
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.cluster import Cluster, consumer_of
from eventfold_ops.doctor.finding import Finding, broken, ok

ROWS = 4000
RECOVER = "the store was restored to an earlier point: run `recover` as docs/runbooks/rewound-history.md says"
SENT_AGAIN = "its relay sends it again at its next term: see that one leads, then look again"
REPLAY = "run `replay` for this topic: its readers cross over to a whole one"

_HEADS = "SELECT topic, partition, seq FROM relay_head"
_CURSOR = "SELECT cursor FROM lease WHERE name = %s"
_ROWS = AFTER.format(TO_SEND)
_SEQ, _PUBLIC_VALUE = 1, 2


@dataclass(frozen=True, slots=True)
class Held:
    """The events of one partition: their count, the sum of their numbers, and the event after which a record is
    missing."""

    count: int = 0
    sum_of_seqs: int = 0
    highest: int = 0
    missing_after: int | None = None

    def same(self, other: Held) -> bool:
        """Whether both hold the same events."""
        return (self.count, self.sum_of_seqs) == (other.count, other.sum_of_seqs)

    def and_then(self, seq: int, previous: int) -> Held:
        """Including the next record. A record that was there before does not count."""
        if seq <= self.highest:
            return self
        if previous > self.highest:
            return Held(self.count, self.sum_of_seqs, self.highest, self.highest)
        return Held(self.count + 1, self.sum_of_seqs + seq, seq)


async def ends(conn: Connection, deployment: Deployment, cluster: Cluster) -> list[Finding]:
    """Whether each topic that the service emits on ends with the last event acknowledged there."""
    names = await _current(conn, deployment, cluster)
    heads = {(topic, n): seq for topic, n, seq in await (await conn.execute(_HEADS)).fetchall()}
    known = await history.load(conn)
    places = [(place.topic, place.partition) for name in names for place in cluster.places(name)]
    tails = await witness.tails_of(deployment.brokers)(places)
    ids = await standing.ids_of(conn, known, [tail.last.seq for tail in tails.values() if tail.last])
    return [_end(name, {at: tail for at, tail in tails.items() if at[0] == name}, heads, ids, known) for name in names]


def _end(
    name: str,
    tails: Mapping[TopicPartition, Tail],
    heads: Mapping[TopicPartition, int],
    ids: Mapping[int, str],
    known: history.Histories,
) -> Finding:
    check = f"end of {name}"
    foreign = [at[1] for at, tail in tails.items() if tail.last and not standing.agrees(tail.last, ids, known)]
    if foreign:
        return broken(check, f"partitions {_listed(foreign)} hold what the store does not", RECOVER)
    short = [at[1] for at, tail in tails.items() if (tail.last.seq if tail.last else 0) < heads.get(at, 0)]
    if short:
        return broken(check, f"partitions {_listed(short)} lack what was acknowledged there", SENT_AGAIN)
    return ok(check, "is the store's")


def _listed(partitions: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(partitions)))


async def whole(conn: Connection, deployment: Deployment, cluster: Cluster) -> list[Finding]:
    """Whether each topic holds the events that the store has sent, one by one. Reads both from end to end."""
    names = await _current(conn, deployment, cluster)
    row = await (await conn.execute(_CURSOR, [deployment.relay_name])).fetchone()
    upto = row[0] if row else 0
    stored = await _stored(conn, deployment, names, {name: cluster.topics[name].partitions for name in names}, upto)
    return [await _whole(deployment, cluster, name, stored, upto) for name in names]


async def _current(conn: Connection, deployment: Deployment, cluster: Cluster) -> list[str]:
    topics = [deployment.topic_prefix + topic for topic in deployment.topics]
    return sorted(name for name in (await generations.current_names(conn, topics)).values() if name in cluster.topics)


async def _whole(
    deployment: Deployment, cluster: Cluster, name: str, stored: Mapping[TopicPartition, Held], upto: int
) -> Finding:
    check, found = f"events on {name}", dict[TopicPartition, Held]()
    async for at, seq, previous in _records(deployment, cluster, name):
        if seq <= upto:
            found[at] = found.get(at, Held()).and_then(seq, previous)
    wanted = {at: held for at, held in stored.items() if at[0] == name}
    nothing = Held()
    different = [at for at in wanted.keys() | found.keys() if not wanted.get(at, nothing).same(found.get(at, nothing))]
    if not different:
        return ok(check, f"all {sum(held.count for held in wanted.values())}, once and in order")
    at = min(different)
    says = (
        f"partition {at[1]} has {found.get(at, nothing).count} of {wanted.get(at, nothing).count} in order, "
        f"{len(different)} partitions differ"
    )
    return broken(check, says, REPLAY)


async def _stored(
    conn: Connection, deployment: Deployment, names: Sequence[str], partitions: Mapping[str, int], upto: int
) -> dict[TopicPartition, Held]:
    """The numbered events of the store up to `upto`, by the partition to which they go."""
    by_topic = {generations.logical(name): name for name in names}
    heads = [topic for topic, *_ in await (await conn.execute(_HEADS)).fetchall()]
    counts = {name: heads.count(name) or partitions[name] for name in names}
    found: dict[TopicPartition, Held] = {}
    after = 0
    while rows := await (await conn.execute(_ROWS, {"after": after, "rows": ROWS}, binary=True)).fetchall():
        for row in rows:
            record = _record(deployment, row)
            if row[_SEQ] <= upto and record and (name := by_topic.get(record.topic)):
                at = name, partition_of(record.key, counts[name])
                found[at] = found.get(at, Held()).and_then(row[_SEQ], 0)
        after = rows[-1][_SEQ]
    return found


def _record(deployment: Deployment, row: Sequence[object]) -> Record | None:
    value = row[_PUBLIC_VALUE]
    if isinstance(value, bytes):
        return deployment.publisher.record(value, envelope_to_send(row, ""))
    return deployment.publisher.encode(recorded_to_send(deployment.codec, row))


async def _records(
    deployment: Deployment, cluster: Cluster, name: str
) -> AsyncIterator[tuple[TopicPartition, int, int]]:
    """The number of each record on a topic and the number of the record before it, up to the ends that `cluster`
    knows."""
    places = [place for place in cluster.places(name) if cluster.begins[place] < cluster.ends[place]]
    if not places:
        return
    async with consumer_of(deployment) as consumer:
        consumer.assign(places)
        for place in places:
            consumer.seek(place, cluster.begins[place])
        while left := [place for place in places if await consumer.position(place) < cluster.ends[place]]:
            for place, records in (await consumer.getmany(*left, timeout_ms=200)).items():
                for one in map(witness.seen, records):
                    yield (place.topic, place.partition), one.seq, one.previous
