"""`python -m servicekit.probe`: exits 0 if the service of this container is well, else 1 with one sentence.

Asks a server (GRPC_PORT above 0) over grpc.health. Asks a worker, a relay or a further role (GRPC_PORT=0) for its
metrics page, on which a fold worker says whether it reads. This is a readiness check: a worker that must not go on
ends by itself. Blocks for at most `ASK_TIMEOUT_S`.
"""

from __future__ import annotations

import http.client
import os
import re
import sys
from collections.abc import Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ASK_TIMEOUT_S = 2.0
NOT_READING = re.compile(r"^eventfold_fold_ready\{.*\} 0\.0$", re.MULTILINE)
REWOUND = re.compile(r"^eventfold_relay_rewound\{.*\} 1\.0$", re.MULTILINE)
_SERVING = health_pb2.HealthCheckResponse.SERVING
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound


def complaint(environment: Mapping[str, str]) -> str | None:
    """The problem of the process that this environment describes; None if it is well."""
    bound = environment.get("GRPC_HOST", "127.0.0.1")
    host = _EVERYWHERE.get(bound, bound)
    grpc_port, metrics_port = (int(environment.get(name) or 0) for name in ("GRPC_PORT", "METRICS_PORT"))
    if grpc_port:
        return grpc_complaint(host, grpc_port)
    if metrics_port:
        return metrics_complaint(host, metrics_port)
    return "neither GRPC_PORT nor METRICS_PORT is set: there is nothing to ask"


def grpc_complaint(host: str, port: int) -> str | None:
    """The problem that the server's own health check reports; None if it is well."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    # A proxy in the environment must not come between a container and its own server.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=ASK_TIMEOUT_S)  # type: ignore[attr-defined]
        except grpc.RpcError as error:
            return f"gRPC health answered {error.code().name}"
    if answer.status == _SERVING:
        return None
    return f"gRPC health says {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"


def metrics_complaint(host: str, port: int) -> str | None:
    """The problem of the metrics page: it does not answer, or it says that the relay is rewound or the worker reads
    nothing. None if it is well."""
    connection = http.client.HTTPConnection(host, port, timeout=ASK_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        page = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"the metrics page did not answer: {type(error).__name__}"
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        return f"the metrics page answered {answer.status}"
    if REWOUND.search(page):
        return "the relay sends nothing: the store is behind its topics; run `recover`"
    return "the worker reads no events: it has not joined its group yet" if NOT_READING.search(page) else None


if __name__ == "__main__":
    sys.exit(complaint(os.environ))
