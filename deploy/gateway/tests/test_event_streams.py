"""Server-sent events of what a service streams: against a real Envoy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
from edge_stand_in import Running

from lyceum.notifications.v1 import notifications_pb2, notifications_pb2_grpc

WATCH, WAIT_S = "/v1/notifications:watch", 10.0


def lines_of(answer: httpx.Response) -> AsyncIterator[str]:
    """Lines as they come; a stream that says nothing is over after `WAIT_S`."""
    return answer.aiter_lines()


async def event(lines: AsyncIterator[str]) -> dict[str, Any]:
    """The next event: lines that begin with `data: `, up to an empty one."""
    data: list[str] = []
    async with asyncio.timeout(WAIT_S):
        async for line in lines:
            if line.startswith("data:"):
                data.append(line.removeprefix("data:").strip())
            elif not line and data:
                break
    told: dict[str, Any] = json.loads("\n".join(data))
    return told


async def test_events_come_one_by_one_as_they_happen(gateway: Running) -> None:
    async with gateway.client.stream("GET", f"{WATCH}?after=n0", headers=gateway.bearer()) as answer:
        lines = lines_of(answer)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert (await event(lines))["alive"] is True
        for name in ("n1", "n2"):
            gateway.services.happened.put_nowait(name)
            assert (await event(lines))["notification"]["notification_id"] == name
    assert gateway.services.requests[0].after == "n0"
    await asyncio.wait_for(gateway.services.gone.wait(), WAIT_S)


async def test_a_refusal_is_one_like_any_other(gateway: Running) -> None:
    answer = await gateway.client.get(f"{WATCH}?after=refused", headers=gateway.bearer())
    assert answer.status_code == 429 and answer.json()["code"] == 8
    assert answer.json()["message"] == "at most 5 streams may be open at once"
    assert (await gateway.client.get(WATCH)).status_code == 401
    assert (await gateway.client.get(f"{WATCH}?unknown=1", headers=gateway.bearer())).status_code == 400


async def test_a_stream_has_no_head(gateway: Running) -> None:
    answer = await gateway.client.head(WATCH, headers=gateway.bearer())
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_native_grpc_streams_too(gateway: Running) -> None:
    async with grpc.aio.insecure_channel(gateway.target) as channel:
        stub = notifications_pb2_grpc.NotificationsServiceStub(channel)
        request, metadata = notifications_pb2.WatchNotificationsRequest(), tuple(gateway.bearer().items())
        stream = stub.WatchNotifications(request, metadata=metadata, timeout=WAIT_S)
        assert (await stream.read()).alive  # type: ignore[attr-defined]
        gateway.services.happened.put_nowait("n1")
        assert (await stream.read()).notification.notification_id == "n1"  # type: ignore[attr-defined]
        stream.cancel()
