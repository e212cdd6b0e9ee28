"""Exports spans to the OpenTelemetry collector that the environment names, if any. Also defines the span data of a gRPC
call, for both sides."""

from __future__ import annotations

import grpc
from opentelemetry.trace import Span

from eventfold import tracing


def start_tracing(service: str, role: str, endpoint: str) -> None:
    """Export spans to `endpoint` (OTLP over gRPC) from a thread of its own. Without an endpoint the SDK is not even
    imported.

    Spans wait in a bounded queue, and are dropped if the collector is away or too slow: no request waits for it. The
    SDK's own variables apply: `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_EXPORTER_OTLP_*`, `OTEL_SDK_DISABLED`.
    """
    if not endpoint:
        return
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {"service.namespace": "lyceum", "service.name": service, "lyceum.role": role}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    tracing.use(provider)


def of_call(method: str, route: str = "") -> tuple[str, dict[str, str]]:
    """The name and the attributes of the span of a call to `/service/method`, which may have come to the gateway as
    JSON by a `route`: a verb and the template of a path, without ids."""
    name = method.removeprefix("/")
    verb, _, template = route.partition(" ")
    by_http = {"http.request.method": verb, "http.route": template} if template else {}
    return name, {"rpc.system.name": "grpc", "rpc.method": name, **by_http}


def tell(span: Span, code: grpc.StatusCode, *, is_error: bool) -> None:
    """Record the status of a finished call: its name, without its text."""
    span.set_attribute("rpc.response.status_code", code.name)
    if is_error:
        tracing.failed(span, code.name)
