"""From command to visible at a fixed rate: record a view, then read with its token until the answer is fresh.

An open loop: commands start at their scheduled times, even if earlier ones are not done, and time counts from then.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import aiohttp
import grpc
import httpx
import psutil

from lyceum.catalog.v1 import catalog_pb2 as pb
from lyceum.catalog.v1 import catalog_pb2_grpc

CONNECTIONS = 32
GIVE_UP_S = 20.0
MEMBERS, CONTENTS = 10, 100
PASSWORD = "password123"  # noqa: S105 - of a stack that goes away
Once = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Crowd:
    """Access tokens of members, and contents. Each view is by a random member of random content."""

    access_tokens: Sequence[str]
    content_ids: Sequence[str]
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def pair(self) -> tuple[str, str]:
        """A member's token and a content id."""
        return self.rng.choice(self.access_tokens), self.rng.choice(self.content_ids)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Each member's token with each content id once, in random order."""
        every = list(product(self.access_tokens, self.content_ids))
        self.rng.shuffle(every)
        return iter(every)


def gathered(url: str, size: int = MEMBERS) -> Crowd:
    """Register so many members and publish the contents."""
    crowd = f"bench-{uuid.uuid4().hex[:8]}"
    with httpx.Client(base_url=url, timeout=30) as client:
        creator = _member(client, f"{crowd}-creator", "creator")
        bearer = {"authorization": f"Bearer {creator}"}
        works = [{"kind": "text", "title": f"bench {n}", "body": "bench", "access": "free"} for n in range(CONTENTS)]
        published = [client.post("/v1/contents", json=work, headers=bearer).raise_for_status() for work in works]
        members = [_member(client, f"{crowd}-{n}", "consumer") for n in range(size)]
        return Crowd(members, [one.json()["content_id"] for one in published])


def _member(client: httpx.Client, username: str, role: str) -> str:
    account = {"username": username, "password": PASSWORD, "role": role}
    client.post("/register", json=account).raise_for_status()
    session = client.post("/v1/sessions", json={"username": username, "password": PASSWORD}).raise_for_status()
    return str(session.json()["access_token"])


async def at_rate(once: Once, per_s: float, warm_up_s: float, seconds: float) -> dict[str, float]:
    """p50 and p99 in milliseconds, the number of measurements, and the generator's share of the machine's CPU."""
    await _paced(once, per_s, warm_up_s)
    process, started = psutil.Process(), time.perf_counter()
    before = sum(process.cpu_times()[:2])
    took, failed = await _paced(once, per_s, seconds)
    cpu_s = sum(process.cpu_times()[:2]) - before
    share = cpu_s / (time.perf_counter() - started) / (psutil.cpu_count() or 1)
    quantiles = statistics.quantiles(took, n=100) if len(took) > 1 else [float("inf")] * 99
    return {
        "per_s": per_s,
        "commands": len(took),
        "failed": failed,
        "p50_ms": quantiles[49],
        "p99_ms": quantiles[98],
        "generator": share,
    }


async def _paced(once: Once, per_s: float, seconds: float) -> tuple[list[float], int]:
    """Milliseconds of each command that became visible within `GIVE_UP_S`, and the number of late or refused ones."""
    took: list[float] = []
    failed = 0

    async def timed(due: float) -> None:
        nonlocal failed
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await once()
            took.append((time.perf_counter() - due) * 1000)
        except (TimeoutError, grpc.RpcError, aiohttp.ClientError):
            failed += 1

    first = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for n in range(int(per_s * seconds)):
            due = first + n / per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(timed(due))
    return took, failed


async def over_grpc(target: str, crowd: Crowd, **pace: float) -> dict[str, float]:
    """Measure directly against catalog's server."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub = catalog_pb2_grpc.CatalogServiceStub(channel)

        async def once() -> None:
            access_token, content_id = crowd.pair()
            bearer = ("authorization", f"Bearer {access_token}")
            view = pb.Interaction(kind="view", client_key=uuid.uuid4().hex)
            request = pb.RecordInteractionRequest(content_id=content_id, interaction=view)
            token = (await stub.RecordInteraction(request, metadata=(bearer,))).consistency_token
            stale: str | bytes | None = "true"
            while stale != "false":
                call = stub.GetContent(
                    pb.GetContentRequest(content_id=content_id), metadata=(bearer, ("x-lyceum-after", token))
                )
                await call
                stale = dict(await call.initial_metadata())["x-lyceum-stale"]

        return await at_rate(once, **pace)


async def over_gateway(url: str, crowd: Crowd, **pace: float) -> dict[str, float]:
    """The same as JSON through Envoy. The client is as cheap as possible, because it shares the machine with the
    stack."""
    connections = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(url, connector=connections, raise_for_status=True) as client:

        async def once() -> None:
            access_token, content_id = crowd.pair()
            bearer, path = {"authorization": f"Bearer {access_token}"}, f"/v1/contents/{content_id}"
            act: dict[str, Any] = {"kind": "view", "client_key": uuid.uuid4().hex}
            async with client.post(f"{path}/interactions", json=act, headers=bearer) as answer:
                token = (await answer.json())["consistency_token"]
            stale = "true"
            while stale != "false":
                async with client.get(path, headers={**bearer, "x-lyceum-after": token}) as read:
                    await read.read()
                    stale = read.headers["x-lyceum-stale"]

        return await at_rate(once, **pace)
