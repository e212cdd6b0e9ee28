"""What the probe of a container says of servers, workers and silence."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from servicekit.probe import complaint

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@contextlib.contextmanager
def server(status: int | None) -> Iterator[str]:
    """A gRPC server that reports `status`, or has no health service; gives its port."""
    running = grpc.server(ThreadPoolExecutor(max_workers=1))
    if status is not None:
        servicer = health.HealthServicer()
        servicer.set("", status)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, running)
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    try:
        yield str(port)
    finally:
        running.stop(grace=None).wait()


@pytest.fixture
def silent_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])  # noqa: S104 - read, not bound
def test_a_server_that_serves_is_well_wherever_it_listens(host: str) -> None:
    with server(SERVING) as port:
        assert complaint({"GRPC_HOST": host, "GRPC_PORT": port, "METRICS_PORT": "1"}) is None


def test_a_draining_server_is_not_well() -> None:
    with server(NOT_SERVING) as port:
        assert complaint({"GRPC_PORT": port}) == "gRPC health says NOT_SERVING"


def test_a_server_without_health_is_not_well() -> None:
    with server(None) as port:
        assert complaint({"GRPC_PORT": port}) == "gRPC health answered UNIMPLEMENTED"


def test_nobody_listening_is_not_well(silent_port: str) -> None:
    assert complaint({"GRPC_PORT": silent_port}) == "gRPC health answered UNAVAILABLE"
    assert complaint({"GRPC_PORT": "0", "METRICS_PORT": silent_port}) == (
        "the metrics page did not answer: ConnectionRefusedError"
    )


@pytest.fixture
def metrics() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics_port(metrics: CollectorRegistry) -> Iterator[str]:
    pages, thread = start_http_server(0, addr="127.0.0.1", registry=metrics)
    try:
        yield str(pages.server_port)
    finally:
        pages.shutdown()
        pages.server_close()
        thread.join(timeout=5)


def test_a_relay_is_asked_for_its_metrics(metrics_port: str) -> None:
    assert complaint({"GRPC_PORT": "0", "METRICS_PORT": metrics_port}) is None


def test_a_fold_worker_is_well_while_it_reads(metrics: CollectorRegistry, metrics_port: str) -> None:
    worker = {"GRPC_PORT": "0", "METRICS_PORT": metrics_port}
    reads = Gauge("eventfold_fold_ready", "As a fold worker says it.", ["group"], registry=metrics).labels("catalog")
    reads.set(0)
    assert complaint(worker) == "the worker reads no events: it has not joined its group yet"
    reads.set(1)
    assert complaint(worker) is None


def test_a_process_that_cannot_be_asked_is_not_called_well() -> None:
    assert complaint({}) == ("none of HEALTH_PORT, GRPC_PORT and METRICS_PORT is set: there is nothing to ask")
