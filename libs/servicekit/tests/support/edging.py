"""A server of one method behind the edge, to which nobody presents a token."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from lyceum.consistency.v1 import consistency_pb2_grpc
from servicekit.caller import TokenVerifier
from servicekit.draining import InFlight
from servicekit.edge import Edge
from servicekit.reading import Resolve
from servicekit.server import ConsistencyServicer


@contextlib.asynccontextmanager
async def serving(resolve: Resolve, in_flight: InFlight | None = None) -> AsyncIterator[str]:
    """`ConsistencyService` on a free port; yields its address."""
    edge = Edge("identity", TokenVerifier(_no_keys, "issuer", "audience"), lambda: [b"k" * 32])
    edge.in_flight = in_flight or edge.in_flight
    server = grpc.aio.server(interceptors=[edge])
    consistency_pb2_grpc.add_ConsistencyServiceServicer_to_server(ConsistencyServicer(resolve), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


async def _no_keys() -> Any:
    raise AssertionError("no token is presented here")
