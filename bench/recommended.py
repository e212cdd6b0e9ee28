"""From a completed content to recommendations that know of it, at a fixed rate; and recommendations per second.

A member completes a content and asks for recommendations with the token of the command, until the answer contains the
command: what was completed is then no longer recommended, which is checked each time.
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import grpc

from bench.visible import CONNECTIONS, Crowd, at_rate
from lyceum.reco.v1 import reco_pb2 as pb
from lyceum.reco.v1 import reco_pb2_grpc

ASKED = 20
CALLERS = 8
CALL_TIMEOUT_S = 20.0


class StillRecommended(AssertionError):
    """A content is recommended by an answer that contains its completion."""


async def visible(url: str, crowd: Crowd, **pace: float) -> dict[str, float]:
    """From the start of the command to the answer that contains it, through the gateway; see `at_rate`."""
    connections, pairs = aiohttp.TCPConnector(limit=CONNECTIONS), crowd.pairs()
    async with aiohttp.ClientSession(url, connector=connections, raise_for_status=True) as client:

        async def once() -> None:
            access_token, content_id = next(pairs)  # completed twice, it would be no event
            bearer = {"authorization": f"Bearer {access_token}"}
            await _answer_with(client, bearer, await _completed(client, bearer, content_id), content_id)

        return await at_rate(once, **pace)


async def _completed(client: aiohttp.ClientSession, bearer: dict[str, str], content_id: str) -> str:
    act: dict[str, Any] = {"kind": "complete", "client_key": uuid.uuid4().hex}
    async with client.post(f"/v1/contents/{content_id}/interactions", json=act, headers=bearer) as answer:
        return str((await answer.json())["consistency_token"])


async def _answer_with(client: aiohttp.ClientSession, bearer: dict[str, str], token: str, content_id: str) -> None:
    while True:
        headers, asked = {**bearer, "x-lyceum-after": token}, {"limit": str(ASKED)}
        async with client.get("/v1/recommendations", params=asked, headers=headers) as answer:
            found = await answer.json()
            if answer.headers["x-lyceum-stale"] == "false":
                break
    if content_id in {one["content_id"] for one in found.get("items", ())}:
        raise StillRecommended(content_id)


async def per_second(target: str, crowd: Crowd, seconds: float) -> dict[str, float]:
    """Recommendations per second that one server gives to `CALLERS` at once, and how long each takes, over gRPC."""
    async with grpc.aio.insecure_channel(target) as channel:
        recommend = reco_pb2_grpc.RecoServiceStub(channel).Recommend
        took: list[float] = []
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(_calling(recommend, crowd, began + seconds, took))
        return {
            "per_s": len(took) / (time.perf_counter() - began),
            "p50_ms": statistics.median(took),
            "p99_ms": statistics.quantiles(took, n=100)[98],
        }


async def _calling(recommend: Callable[..., Awaitable[Any]], crowd: Crowd, until: float, took: list[float]) -> None:
    while (began := time.perf_counter()) < until:
        access_token, _ = crowd.pair()
        bearer = (("authorization", f"Bearer {access_token}"),)
        await recommend(pb.RecommendRequest(limit=ASKED), metadata=bearer, timeout=CALL_TIMEOUT_S)
        took.append((time.perf_counter() - began) * 1000)
