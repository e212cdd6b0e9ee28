"""Faust, one message per partition batch, starting from positions that the folds keep in their own database.

Stock Faust makes a message, an event and an acknowledgement of every record. This transport hands the whole run of
records that a fetch returned for a partition to the agent as one message at the run's last offset; Faust's gap
tracking takes care of the offsets between. On assignment it seeks to the stored positions: Faust's committed offset
is only a hint for lag monitors (see docs/adr for the reasons and measurements).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

StartOffsets = Callable[[Sequence[tuple[str, int]]], Awaitable[Mapping[tuple[str, int], int]]]


class BatchConsumer(driver.Consumer):
    """Yields one message per partition batch; its value is the list of aiokafka records."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's signature
        """One round of batches. Stops early when a rebalance suspends the flow; what is not yielded is read again."""
        records, active = await self._wait_next_records(timeout)
        if records is None or self.should_stop or not self.flow_active:
            return
        generation = self.app.consumer_generation_id
        for tp, batch in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if batch and (active is None or tp in active or tp in self._buffered_partitions):
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                yield tp, self._batch_message(tp, batch)

    def _batch_message(self, tp: TP, batch: Sequence[Any]) -> ConsumerMessage:
        last = batch[-1]
        message: Any = ConsumerMessage  # Faust's types know single records only
        return message(  # type: ignore[no-any-return]
            last.topic, last.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type, [], None, batch,
            last.checksum, None, None, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every assigned partition to the position in the folds' database, and return these positions."""
        transport: Any = self.transport
        assigned = [(tp.topic, tp.partition) for tp in self.assignment()]
        stored = await transport.start_offsets(assigned) if assigned else {}
        offsets = {TP(topic, partition): offset for (topic, partition), offset in stored.items()}
        for tp, offset in offsets.items():
            self._thread.seek(tp, offset)
        return offsets


class BatchTransport(driver.Transport):
    """Set as `app.transport` before the worker starts, with `start_offsets` bound to the fold runner."""

    Consumer = BatchConsumer
    start_offsets: StartOffsets
