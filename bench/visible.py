"""From command to visible: record a view, then read with its token until the answer is fresh; one client, no pause."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import httpx

from lyceum.catalog.v1 import catalog_pb2 as pb
from lyceum.catalog.v1 import catalog_pb2_grpc

WARM_UP, ROUNDS = 50, 400


def percentiles(once: Callable[[], None]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    for _ in range(WARM_UP):
        once()
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        once()
        took.append((time.perf_counter() - started) * 1000)
    return {"p50_ms": statistics.median(took), "p99_ms": statistics.quantiles(took, n=100)[98]}


def over_grpc(target: str, access_token: str, content_id: str) -> dict[str, float]:
    """Straight to catalog's server."""
    stub = catalog_pb2_grpc.CatalogServiceStub(grpc.insecure_channel(target))
    bearer = ("authorization", f"Bearer {access_token}")

    def once() -> None:
        view = pb.Interaction(kind="view", client_key=uuid.uuid4().hex)
        request = pb.RecordInteractionRequest(content_id=content_id, interaction=view)
        token = stub.RecordInteraction(request, metadata=(bearer,)).consistency_token
        stale: str | bytes = "true"
        while stale != "false":
            _, call = stub.GetContent.with_call(
                pb.GetContentRequest(content_id=content_id), metadata=(bearer, ("x-lyceum-after", token))
            )
            stale = dict(call.initial_metadata())["x-lyceum-stale"]

    return percentiles(once)


def over_gateway(client: httpx.Client, access_token: str, content_id: str) -> dict[str, float]:
    """The same as JSON through Envoy."""
    bearer = {"authorization": f"Bearer {access_token}"}
    path = f"/v1/contents/{content_id}"

    def once() -> None:
        act: dict[str, Any] = {"kind": "view", "client_key": uuid.uuid4().hex}
        token = client.post(f"{path}/interactions", json=act, headers=bearer).json()["consistency_token"]
        stale = "true"
        while stale != "false":
            stale = client.get(path, headers={**bearer, "x-lyceum-after": token}).headers["x-lyceum-stale"]

    return percentiles(once)
