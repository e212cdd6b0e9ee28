"""Asking processes whether they are ready; every question answers None for yes and a reason for no."""

import socket
import urllib.error
import urllib.request

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ASK_TIMEOUT_S = 2.0


def grpc_complaint(target: str) -> str | None:
    """None when the gRPC health service at `target` says SERVING."""
    try:
        with grpc.insecure_channel(target) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=ASK_TIMEOUT_S)  # type: ignore[attr-defined]
    except grpc.RpcError as refused:
        return f"gRPC health at {target}: {refused.code().name}"
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return None if name == "SERVING" else f"gRPC health at {target}: {name}"


def http_complaint(url: str) -> str | None:
    """None when a GET of `url` answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=ASK_TIMEOUT_S) as answer:  # noqa: S310 (our own http URL)
            return None if answer.status == 200 else f"{url} answers {answer.status}"
    except urllib.error.HTTPError as refused:
        return f"{url} answers {refused.code}"
    except OSError as refused:
        return f"{url}: {refused}"


def tcp_complaint(host: str, port: int) -> str | None:
    """None when something accepts connections at `host`:`port`."""
    try:
        with socket.create_connection((host, port), timeout=ASK_TIMEOUT_S):
            return None
    except OSError as refused:
        return f"{host}:{port}: {refused}"
