"""Kafka connections of this process: one that has ended is broken, on whichever event loop.

aiokafka knows that asyncio writes to an ended transport without a word, or raises OSError. uvloop raises RuntimeError:
whichever of aiokafka's tasks meets that ends for good, and a consumer without the one that keeps its metadata, or its
place in the group, stands still and says nothing (aio-libs/aiokafka#1038; the faults found it). aiokafka has no setting
for the class of its connections, so importing this module sets it for every client of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import conn

CLOSE_WITHIN_S = 2.0


class Connection(conn.AIOKafkaConnection):  # type: ignore[misc]
    """aiokafka's, which looks before it writes."""

    def send(self, request: Any, expect_response: bool = True) -> Any:
        """As aiokafka's. Raises `KafkaConnectionError` on an ended transport."""
        self._close_if_ended()
        return super().send(request, expect_response)

    def _send_sasl_token(self, payload: bytes, expect_response: bool = True) -> Any:
        self._close_if_ended()
        return super()._send_sasl_token(payload, expect_response)

    def _close_if_ended(self) -> None:
        if self._writer is not None and self._writer.is_closing():
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)  # what is sent after this is refused as unconnected


conn.AIOKafkaConnection = Connection


async def closed(close: Callable[[], Awaitable[None]]) -> None:
    """Close a client, for at most `CLOSE_WITHIN_S`: batches that nobody will acknowledge would keep it for ever.

    In a task of its own, for aiokafka takes a cancellation that comes while it closes for its own, and the caller would
    go on as if nobody had asked it to end.
    """
    closing = asyncio.ensure_future(close())
    try:
        await asyncio.wait({closing}, timeout=CLOSE_WITHIN_S)
    finally:
        closing.cancel()
        closing.add_done_callback(_heard)


def _heard(closing: asyncio.Future[None]) -> None:
    """What a client that is given up says on its way out is of no use to anybody."""
    if not closing.cancelled():
        closing.exception()
