"""The transport, where aiokafka fails under a rebalance."""

from __future__ import annotations

from typing import Any

import pytest

from eventfold.faust_transport import BatchConsumer


class Fetching(BatchConsumer):
    """A consumer without Kafka: its next fetch is what the test gives."""

    flow_active = True
    should_stop = False

    def __init__(self, failure: Exception) -> None:
        self._failure = failure
        self.sought = 0

    def _get_active_partitions(self) -> set[Any]:
        return {("t", 0)}

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        raise self._failure

    async def perform_seek(self) -> None:
        self.sought += 1


async def test_a_partition_that_vanishes_in_mid_fetch_makes_it_read_again_from_the_stored_positions() -> None:
    consumer = Fetching(KeyError("t-0"))
    assert [message async for message in consumer.getmany(1.0)] == []
    assert consumer.sought == 1


async def test_other_failures_of_a_fetch_are_not_swallowed() -> None:
    consumer = Fetching(RuntimeError("the broker says no"))
    with pytest.raises(RuntimeError):
        [message async for message in consumer.getmany(1.0)]
    assert consumer.sought == 0
