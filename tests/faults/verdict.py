"""Checks a trial's commands in the store, on the topic and in the projection. Counts faults, which must be zero."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer

from eventfold.publish.brokers import Brokers
from tests.faults.installation import Installation
from tests.faults.keeper import until

ARRIVAL_WAIT_S = 60.0
READ_WAIT_S = 30.0


@dataclass(slots=True)
class Verdict:
    """Numbers of commands and events; all but `commands` and `duplicates` must be zero."""

    commands: int = 0
    lost: int = 0
    doubled_in_store: int = 0
    missing_on_topic: int = 0
    doubled_in_projection: int = 0
    disorder: int = 0
    duplicates: int = 0


@dataclass
class TopicReader:
    """Continues reading where it stopped: a record that goes on from its partition's highest seq is fresh. Others are
    duplicates, or stand before records that come later and are then sent again."""

    offsets: dict[int, int] = field(default_factory=dict)
    highest: dict[int, int] = field(default_factory=dict)

    async def read_on(self, brokers: Brokers, topic: str) -> tuple[dict[int, list[int]], int]:
        """The fresh seqs of each partition since the last call, and the number of duplicates."""
        consumer = AIOKafkaConsumer(topic, **brokers.client(), auto_offset_reset="earliest")
        await consumer.start()
        fresh: dict[int, list[int]] = defaultdict(list)
        duplicates = 0
        try:
            ends = {tp: end for tp, end in (await consumer.end_offsets(consumer.assignment())).items() if end}
            for tp in consumer.assignment():
                consumer.seek(tp, self.offsets.get(tp.partition, 0))
            async with asyncio.timeout(READ_WAIT_S):
                while any(self.offsets.get(tp.partition, 0) < end for tp, end in ends.items()):
                    for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                        for record in records:
                            self.offsets[tp.partition] = record.offset + 1
                            headers, before = dict(record.headers), self.highest.get(tp.partition, 0)
                            seq = int(headers["ce_sequence"])
                            if seq <= before:
                                duplicates += 1
                            elif int(headers.get("ce_previoussequence", b"0")) <= before:
                                self.highest[tp.partition] = seq
                                fresh[tp.partition].append(seq)
        finally:
            await consumer.stop()
        return fresh, duplicates


def judge(installation: Installation, load: str, reader: TopicReader) -> tuple[Verdict, float | None]:
    """Wait until all commands of the load have arrived, then count. All must be acknowledged before.

    Also returns the time at which the projection showed all of them; None if it never did.
    """
    expected: dict[str, list[int]] = defaultdict(list)
    for number, (shelf, _) in installation.sent.items():
        if number in installation.acknowledged and shelf.startswith(f"{load}."):
            expected[shelf].append(number)
    wanted = {number for numbers in expected.values() for number in numbers}
    arrived_at = until(lambda: wanted <= installation.visible(load), ARRIVAL_WAIT_S)
    verdict = Verdict(commands=len(wanted))
    _judge_store(installation, load, expected, verdict)
    _judge_projection(installation, load, expected, verdict)
    _judge_topic(installation, reader, verdict)
    return verdict, arrived_at


def _judge_store(installation: Installation, load: str, expected: dict[str, list[int]], verdict: Verdict) -> None:
    rows = installation.rows(
        "SELECT partition_key, (data->>'title')::bigint FROM events WHERE partition_key LIKE %s ORDER BY version",
        f"{load}.%",
    )
    stored: dict[str, list[int]] = defaultdict(list)
    for shelf, number in rows:
        stored[shelf].append(number)
    for shelf, numbers in expected.items():
        _compare(numbers, stored[shelf], verdict, "doubled_in_store")


def _judge_projection(installation: Installation, load: str, expected: dict[str, list[int]], verdict: Verdict) -> None:
    rows = dict(installation.rows("SELECT shelf, digest FROM shelf_count WHERE shelf LIKE %s", f"shelf-{load}.%"))
    for shelf, numbers in expected.items():
        shown = [int(title) for title in rows.get(f"shelf-{shelf}", "").split(";") if title]
        _compare(numbers, shown, verdict, "doubled_in_projection")


def _compare(expected: list[int], found: list[int], verdict: Verdict, doubled: str) -> None:
    """Count lost and doubled commands, and check that the rest are in the order in which they were sent."""
    times = Counter(found)
    verdict.lost += sum(times[number] == 0 for number in expected)
    setattr(verdict, doubled, getattr(verdict, doubled) + sum(count - 1 for count in times.values()))
    verdict.disorder += list(dict.fromkeys(found)) != [number for number in expected if times[number]]


def _judge_topic(installation: Installation, reader: TopicReader, verdict: Verdict) -> None:
    """The fresh seqs of all partitions must be the stored ones. Each partition's are in ascending order by
    construction."""
    above = max(reader.highest.values(), default=0)
    fresh, verdict.duplicates = asyncio.run(reader.read_on(installation.stack.brokers, installation.topic))
    read = sorted(seq for seqs in fresh.values() for seq in seqs)
    due = [row[0] for row in installation.rows("SELECT seq FROM event_sequence WHERE seq > %s ORDER BY seq", above)]
    verdict.missing_on_topic = len(set(due) - set(read))
