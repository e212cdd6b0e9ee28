"""Spans leave a process only where a collector is named, and nothing of the SDK is there without one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

TIMEOUT_S = 60
ONE_SPAN = """
import sys, threading
import servicekit.runtime
from eventfold import tracing
from opentelemetry.trace import SpanKind
from servicekit.traces import start_tracing
start_tracing("identity", "serve", sys.argv[1])
with tracing.span("one", SpanKind.SERVER, {}) as span:
    print(span.is_recording())
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))) != [])
print(threading.active_count())
"""


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.requests: list[pb.ExportTraceServiceRequest] = []

    def Export(self, request: Any, context: Any) -> pb.ExportTraceServiceResponse:
        self.requests.append(request)
        return pb.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    one, server = Collector(), grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(one, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield one, f"http://127.0.0.1:{port}"
    server.stop(0)


def run(endpoint: str) -> list[str]:
    """What a process of its own says: whether it records, whether it has the SDK, how many threads it has."""
    ran = subprocess.run(
        [sys.executable, "-c", ONE_SPAN, endpoint], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    return ran.stdout.split()


def test_without_a_collector_there_is_no_sdk() -> None:
    assert run("") == ["False", "False", "1"]


def test_spans_reach_the_collector_by_the_end_of_the_process(collector: tuple[Collector, str]) -> None:
    one, endpoint = collector
    assert run(endpoint)[:2] == ["True", "True"]
    [resource] = [found for request in one.requests for found in request.resource_spans]
    told = {entry.key: entry.value.string_value for entry in resource.resource.attributes}
    assert (told["service.namespace"], told["service.name"], told["lyceum.role"]) == ("lyceum", "identity", "serve")
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["one"]
