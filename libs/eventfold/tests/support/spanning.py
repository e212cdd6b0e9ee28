"""Spans as tests see them: exported into memory, named as a `traceparent` names them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from eventfold import tracing

CAUSE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@contextlib.contextmanager
def exported() -> Iterator[InMemorySpanExporter]:
    """What is exported of the spans that end meanwhile."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    try:
        yield exporter
    finally:
        tracing.use(None)


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def written(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return _traceparent(context)


def linked(span: ReadableSpan) -> list[str]:
    return [_traceparent(one.context) for one in span.links]


def cause(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


def _traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
