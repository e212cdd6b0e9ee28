"""Kafka connections of this process: an ended connection counts as broken, on every event loop.

aiokafka expects asyncio's behaviour: a write to an ended transport does nothing, or raises OSError. uvloop raises
RuntimeError, which ends the aiokafka task that meets it for good. A consumer without its metadata task, or without the
task that keeps its place in the group, stands still and says nothing (aio-libs/aiokafka#1038; found by the fault
tests). aiokafka has no setting for the class of its connections, so importing this module sets it for every client of
the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import conn

CLOSE_WITHIN_S = 2.0


class Connection(conn.AIOKafkaConnection):  # type: ignore[misc]
    """aiokafka's connection, which checks the transport before it writes."""

    def send(self, request: Any, expect_response: bool = True) -> Any:
        """As in aiokafka. Raises `KafkaConnectionError` on an ended transport."""
        self._close_if_ended()
        return super().send(request, expect_response)

    def _send_sasl_token(self, payload: bytes, expect_response: bool = True) -> Any:
        self._close_if_ended()
        return super()._send_sasl_token(payload, expect_response)

    def _close_if_ended(self) -> None:
        if self._writer is not None and self._writer.is_closing():
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)  # a send after this is refused as not connected


conn.AIOKafkaConnection = Connection


async def closed(close: Callable[[], Awaitable[None]]) -> None:
    """Close a client, within `CLOSE_WITHIN_S`: batches that nobody will acknowledge would otherwise keep it open for
    ever.

    The close runs in a task of its own. Otherwise aiokafka would swallow a cancellation that arrives while it closes,
    and the caller would go on as if nobody had cancelled it.
    """
    closing = asyncio.ensure_future(close())
    try:
        await asyncio.wait({closing}, timeout=CLOSE_WITHIN_S)
    finally:
        closing.cancel()
        closing.add_done_callback(_heard)


def _heard(closing: asyncio.Future[None]) -> None:
    """Ignore the failure of a client that is given up."""
    if not closing.cancelled():
        closing.exception()
