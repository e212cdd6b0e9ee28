"""A server of one method behind the edge, to which nobody presents a token."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from lyceum.consistency.v1 import consistency_pb2_grpc
from servicekit.caller import TokenVerifier
from servicekit.edge import Edge
from servicekit.reading import Resolve
from servicekit.server import ConsistencyServicer


@contextlib.asynccontextmanager
async def serving(resolve: Resolve) -> AsyncIterator[str]:
    """`ConsistencyService` on a free port; yields its address."""
    server = grpc.aio.server(
        interceptors=[Edge("identity", TokenVerifier(_no_keys, "issuer", "audience"), lambda: [b"k" * 32])]
    )
    consistency_pb2_grpc.add_ConsistencyServiceServicer_to_server(ConsistencyServicer(resolve), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


async def _no_keys() -> Any:
    raise AssertionError("no token is presented here")
