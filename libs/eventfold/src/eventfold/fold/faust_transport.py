"""Faust with one message per fetch, starting from positions that the folds keep in their own database.

Stock Faust makes a message, an event and an acknowledgement for every record. This transport makes one message for each
partition of a fetch. The message has the last offset of its run and stands for all offsets before it. The last message
of a fetch carries the runs of all partitions, and the agent applies them in one transaction. The other messages are
empty and only keep Faust's bookkeeping. On assignment the transport seeks to the stored positions: Faust's committed
offset is only a hint for lag monitors (see docs/adr for the reasons and measurements).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from eventfold import telemetry
from eventfold.fold.fetching import in_batches
from eventfold.fold.kafka_batches import last_offset
from eventfold.fold.runs import PartitionBatch

PAUSED_LOOK_S = 0.005
PARTLY_PAUSED_WAIT_S = 0.02
"""How long to wait for records of the other partitions while some are paused: records of those may lie here already."""
WAIT_MS = 1500
"""How long the broker waits for a first record; as Faust sets it."""
CREATE_TIME = 0
"""Of Kafka's timestamps; nothing reads them."""
BUSY_RECORDS_PER_S, BUSY_LINGER_S = 500.0, 0.25
"""From this rate on the broker waits so long for more records: each fetch costs as much as folding some hundred."""
RATE_WINDOW_S = 1.0
LINGER_BYTES = 64 * 1024
"""This much data, some hundred records, is worth a fetch and a transaction at once."""

StartOffsets = Callable[[Sequence[tuple[str, int]], Any], Awaitable[Mapping[tuple[str, int], int]]]
"""Maps assigned partitions to the offsets at which to start reading. Its second argument is the consumer, which knows
where partitions begin and end."""


class Pace:
    """How long the broker is to wait for more records, by the rate at which they came of late."""

    def __init__(self, linger_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._least_s = self.linger_s = linger_s
        self._clock = clock
        self._records, self._since = 0, clock()

    def fetched(self, records: int) -> None:
        """Count these records."""
        self._records += records
        passed_s = self._clock() - self._since
        if passed_s >= RATE_WINDOW_S:
            busy = self._records / passed_s >= BUSY_RECORDS_PER_S
            self.linger_s = max(self._least_s, BUSY_LINGER_S) if busy else self._least_s
            self._records, self._since = 0, self._clock()


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread; takes batches, and sets how much the broker waits for, which Faust has no setting for."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = in_batches(super()._create_worker_consumer(transport))
        _hold_back(consumer, transport.linger_s)
        return consumer


def _hold_back(fetches: Any, linger_s: float) -> None:
    """Set how long the broker waits for `LINGER_BYTES`, on a consumer that is not started or on a fetcher."""
    if linger_s:
        fetches._fetch_min_bytes = LINGER_BYTES
        fetches._fetch_max_wait_ms = int(linger_s * 1000)
    else:
        fetches._fetch_min_bytes, fetches._fetch_max_wait_ms = 1, WAIT_MS


class BatchConsumer(driver.Consumer):
    """Yields one message per partition of a fetch. The value of the last message is the list of `PartitionBatch`es."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        transport: Any = self.transport
        self._pace = Pace(transport.linger_s)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's signature
        """One fetch. Yields nothing if a rebalance suspends the flow; records that were not yielded are read again."""
        if self.flow_active and not self._get_active_partitions():
            # Back-pressure has paused all partitions. Faust would look again after a second; the agent is ready long
            # before.
            await self.sleep(PAUSED_LOOK_S)
            return
        if self._paused_partitions:
            timeout = min(timeout, PARTLY_PAUSED_WAIT_S)  # one that is resumed meanwhile would wait for the others
        try:
            records, active = await self._wait_next_records(timeout)
        except KeyError:
            # While a rebalance takes a partition away, aiokafka drops the records it had fetched of it. Records that it
            # handed out before it noticed are lost to us, so everything is read again from the stored positions.
            await self.perform_seek()
            return
        if records is None or self.should_stop or not self.flow_active:
            return
        batches = [
            PartitionBatch(tp.topic, tp.partition, batch)
            for tp, batch in records.items()
            if batch and (active is None or tp in active or tp in self._buffered_partitions)
        ]
        self._keep_pace(sum(len(batch.records) for batch in batches))
        generation = self.app.consumer_generation_id
        for batch in batches:
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            tp = TP(batch.topic, batch.partition)
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, self._message(tp, last_offset(batch.records), batches if batch is batches[-1] else [])

    def _keep_pace(self, records: int) -> None:
        before = self._pace.linger_s
        self._pace.fetched(records)
        consumer = getattr(self._thread, "_consumer", None)
        if self._pace.linger_s != before and consumer is not None:
            _hold_back(consumer._fetcher, self._pace.linger_s)

    def _message(self, tp: TP, last_offset: int, batches: Sequence[PartitionBatch]) -> ConsumerMessage:
        message: Any = ConsumerMessage  # Faust's types know single records only
        return message(  # type: ignore[no-any-return]
            tp.topic,
            tp.partition,
            last_offset,
            time.time(),
            CREATE_TIME,
            [],
            None,
            batches,
            None,
            None,
            None,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def cut_off(self) -> bool:
        """Whether the aiokafka task that keeps the metadata, or the one that keeps the place in the group, has ended
        before the worker. Then nothing will ever be read again, and Faust does not check it."""
        consumer = getattr(self._thread, "_consumer", None)
        if consumer is None or consumer._coordinator is None or self.should_stop:
            return False
        return bool(consumer._client._sync_task.done() or consumer._coordinator._coordination_task.done())

    def member_id(self) -> str:
        """Under which id the broker knows this consumer; empty while it has no place in its group."""
        consumer = getattr(self._thread, "_consumer", None)
        if consumer is None or consumer._coordinator is None:
            return ""
        return str(consumer._coordinator.member_id)

    def unknown(self, topics: Collection[str]) -> set[str]:
        """The given topics that are missing in the consumer's present Kafka metadata."""
        consumer = getattr(self._thread, "_consumer", None)
        if consumer is None or self.should_stop:
            return set()
        return {topic for topic in topics if consumer._client.cluster.partitions_for_topic(topic) is None}

    def stop_flow(self) -> None:
        """A rebalance begins: nothing is read until the start offsets are known."""
        super().stop_flow()
        telemetry.FOLD_READY.labels(self.app.conf.id).set(0)

    def resume_flow(self) -> None:
        """The worker has sought the partitions that it has now, if any: it reads from here on."""
        super().resume_flow()
        telemetry.FOLD_READY.labels(self.app.conf.id).set(1)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: Faust must not wait for the offsets between two messages."""

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit. Messages are acknowledged in order, so the last one stands for all.

        Faust's own method looks for gaps. If a partition has several messages between two commits, it would also keep a
        number for each record for ever.
        """
        acknowledged = self._acked[tp]
        if not acknowledged:
            return None
        highest = max(acknowledged)
        acknowledged.clear()
        self._acked_index[tp].clear()
        return highest + 1

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every assigned partition to its position in the folds' database, and return these positions."""
        transport: Any = self.transport
        assigned = [(tp.topic, tp.partition) for tp in self.assignment()]
        stored = await transport.start_offsets(assigned, self) if assigned else {}
        offsets = {TP(topic, partition): offset for (topic, partition), offset in stored.items()}
        for tp, offset in offsets.items():
            self._thread.seek(tp, offset)
        return offsets


class BatchTransport(driver.Transport):
    """Set it as `app.transport` before the worker starts, with `start_offsets` bound to the fold runner. The broker
    holds small fetches back for `linger_s` seconds.
    """

    Consumer = BatchConsumer
    start_offsets: StartOffsets
    linger_s: float = 0.0
