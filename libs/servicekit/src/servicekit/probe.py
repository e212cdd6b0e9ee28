"""`python -m servicekit.probe`: exits 0 if the service of this container is well, else 1 with one sentence.

Asks the health port if there is one (HEALTH_PORT above 0; see `servicekit.health`). Otherwise asks a server (GRPC_PORT
above 0) over grpc.health, with the certificate in TLS_DIR if that is set, and a worker, a relay or a further role
(GRPC_PORT=0) for its metrics page, on which a fold worker says whether it reads. This is a readiness check: a worker
that must not go on ends by itself. Blocks for at most `ASK_TIMEOUT_S`.
"""

from __future__ import annotations

import http.client
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from servicekit.addresses import address, own_host

ASK_TIMEOUT_S = 2.0
NOT_READING = re.compile(r"^eventfold_fold_ready\{.*\} 0\.0$", re.MULTILINE)
REWOUND = re.compile(r"^eventfold_relay_rewound\{.*\} 1\.0$", re.MULTILINE)
_SERVING = health_pb2.HealthCheckResponse.SERVING


def complaint(environment: Mapping[str, str]) -> str | None:
    """The problem of the process that this environment describes; None if it is well."""
    host = own_host(environment.get("GRPC_HOST", "127.0.0.1"))
    ports = ("HEALTH_PORT", "GRPC_PORT", "METRICS_PORT")
    health_port, grpc_port, metrics_port = (int(environment.get(name) or 0) for name in ports)
    if health_port:
        return grpc_complaint(host, health_port)
    if grpc_port:
        return grpc_complaint(host, grpc_port, environment.get("TLS_DIR", ""))
    if metrics_port:
        return metrics_complaint(host, metrics_port)
    return "none of HEALTH_PORT, GRPC_PORT and METRICS_PORT is set: there is nothing to ask"


def grpc_complaint(host: str, port: int, tls_dir: str = "") -> str | None:
    """The problem that the server's own health check reports; None if it is well. With `tls_dir` it is asked over
    mutual TLS by a name of the certificate there, which is the server's own."""
    try:
        opened = _channel(address(host, port), tls_dir)
    except Exception as unusable:  # noqa: BLE001 - its class takes long to import; whatever it is, nobody can be asked
        return f"the certificate cannot be used: {unusable}"
    with opened as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=ASK_TIMEOUT_S)  # type: ignore[attr-defined]
        except grpc.RpcError as error:
            return f"gRPC health answered {error.code().name}"
    if answer.status == _SERVING:
        return None
    return f"gRPC health says {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"


def _channel(target: str, tls_dir: str) -> grpc.Channel:
    # A proxy in the environment must not come between a container and its own server.
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    if not tls_dir:
        return grpc.insecure_channel(target, options=options)
    from eventfold.certificates import read  # takes longer to import than all the rest

    pem = read(Path(tls_dir))
    options += [("grpc.ssl_target_name_override", name) for name in pem.host_names[:1]]
    credentials = grpc.ssl_channel_credentials(pem.authority, pem.key, pem.certificate)
    return grpc.secure_channel(target, credentials, options=options)


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
