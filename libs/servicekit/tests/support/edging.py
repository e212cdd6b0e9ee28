"""A server of one method behind the edge."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from eventfold.certificates import Renewed
from lyceum.consistency.v1 import consistency_pb2_grpc
from servicekit.caller import Caller, TokenVerifier
from servicekit.draining import InFlight
from servicekit.edge import Edge
from servicekit.limits import MemberCeiling
from servicekit.reading import Resolve
from servicekit.server import ConsistencyServicer, listen

SECRET = b"k" * 32
"""The servers' idempotency secret."""


@contextlib.asynccontextmanager
async def serving(
    resolve: Resolve,
    in_flight: InFlight | None = None,
    calls_per_s: float = 1000.0,
    tls: Renewed | None = None,
    verifier: TokenVerifier | None = None,
) -> AsyncIterator[str]:
    """`ConsistencyService` on a free port; yields its address. Without a verifier, a token is the id of the member who
    presents it."""
    edge = Edge("identity", verifier or Believing(), lambda: [SECRET], ceiling=MemberCeiling(calls_per_s))
    edge.in_flight = in_flight or edge.in_flight
    server = grpc.aio.server(interceptors=[edge])
    consistency_pb2_grpc.add_ConsistencyServiceServicer_to_server(ConsistencyServicer(resolve), server)
    port = listen(server, "127.0.0.1:0", tls)
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


class Believing(TokenVerifier):
    """Takes any token for a member's id."""

    def __init__(self) -> None:
        super().__init__(_no_keys, "issuer", "audience")

    async def verify(self, token: str) -> Caller:
        return Caller(token, "consumer", "s")


async def _no_keys() -> Any:
    raise AssertionError("no key is needed here")
