"""`python -m bench.gateway.bare PORT METHOD FILE`: a gRPC server that answers one method with the bytes of a file.

No interceptor, message, log or deadline of ours: the least that grpcio and uvloop can do.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc
import uvloop


class OneMethod(grpc.GenericRpcHandler):
    """Answers `method` and refuses the rest."""

    def __init__(self, method: str, answer: bytes) -> None:
        self._method, self._answer = method, answer

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """The handler of the method, without any decoding."""
        if handler_call_details.method != self._method:
            return None
        return grpc.unary_unary_rpc_method_handler(self._told)

    async def _told(self, request: bytes, context: object) -> bytes:
        return self._answer


async def serve(port: int, method: str, answer: bytes) -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server(handlers=[OneMethod(method, answer)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_bytes()))
