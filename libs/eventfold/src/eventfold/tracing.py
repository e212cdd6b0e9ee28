"""Spans from a command to its folds. Until `use` sets a provider, nothing is recorded, and the calls cost nothing.

The span of a command continues in its events: each carries a W3C `traceparent` in its meta and on Kafka. Work on many
events at once (a sent batch, an applied fetch) has its own span with links to some of theirs, because no single event
is its parent. A look at a due date likewise links to the event that set it, perhaps weeks before. Attributes and errors
hold names, counts and kinds, never personal data.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

MAX_LINKS = 32
"""Links of one span: a batch of thousands links to some of its causes, not to all."""

_W3C = TraceContextTextMapPropagator()
_tracer: trace.Tracer | None = None


def use(provider: TracerProvider | None) -> None:
    """From now on, record spans with this provider. With None, which is the initial state, record none."""
    global _tracer
    _tracer = provider.get_tracer("eventfold") if provider else None


def recording() -> bool:
    """Whether spans are recorded. If not, data that only spans need is not looked up."""
    return _tracer is not None


def checked(traceparent: str | None) -> str | None:
    """The `traceparent` in its plain form, fit to be stored and sent; None if it is missing or malformed."""
    return _written(_parsed(traceparent)) if traceparent else None


def current() -> str | None:
    """The `traceparent` of the current task's span; None outside of a span."""
    return _written(trace.get_current_span().get_span_context()) if _tracer else None


@contextlib.contextmanager
def span(
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, Any],
    *,
    parent: str | Span | None = None,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    """A span around a block: a part of the trace of `parent` (a `traceparent` from outside, or a span of this process),
    or the first span of its own trace. An escaping exception marks it as an error, with only the exception's class."""
    if _tracer is None:
        yield trace.INVALID_SPAN
        return
    with _tracer.start_as_current_span(
        name, _context(parent), kind, attributes, links, record_exception=False, set_status_on_exception=False
    ) as started:
        try:
            yield started
        except BaseException as failure:
            failed(started, type(failure).__name__)
            raise


def _context(parent: str | Span | None) -> Context:
    if parent is None:
        return Context()
    found = trace.NonRecordingSpan(_parsed(parent)) if isinstance(parent, str) else parent
    return trace.set_span_in_context(found, Context())


def failed(started: Span, kind: str) -> None:
    """Mark a span as failed by an error of this kind."""
    started.set_attribute("error.type", kind)
    started.set_status(StatusCode.ERROR)


def batch(
    operation: str,
    kind: SpanKind,
    client: str,
    places: Iterable[tuple[str, int]],
    headers: Iterable[Mapping[str, bytes]],
) -> contextlib.AbstractContextManager[Span]:
    """The span of a batch: `places` are its topics and partitions, `headers` those of its records.

    Neither is read unless spans are recorded. A batch without records has no span.
    """
    if _tracer is None:
        return contextlib.nullcontext(trace.INVALID_SPAN)
    causes = [of_one.get("traceparent") for of_one in headers]
    if not causes:
        return contextlib.nullcontext(trace.INVALID_SPAN)
    attributes = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.client.id": client,
        "messaging.batch.message_count": len(causes),
        **_destination(set(places)),
    }
    name = f"{operation} {attributes.get('messaging.destination.name', client)}"
    return span(name, kind, attributes, links=links(one.decode("ascii", "replace") for one in causes if one))


def _destination(places: set[tuple[str, int]]) -> dict[str, str]:
    """Topic and partition, if all records share them."""
    topic, partition = next(iter(places))
    shared = {} if len({topic for topic, _ in places}) > 1 else {"messaging.destination.name": topic}
    return shared if len(places) > 1 else {**shared, "messaging.destination.partition.id": str(partition)}


def links(causes: Iterable[str]) -> list[Link]:
    """Links to the spans named by the first `MAX_LINKS` different `traceparent`s; malformed ones are skipped."""
    found: dict[str, Link] = {}
    for cause in causes:
        if cause not in found and (named := _parsed(cause)).is_valid:
            found[cause] = Link(named)
            if len(found) == MAX_LINKS:
                break
    return list(found.values())


def _parsed(traceparent: str) -> SpanContext:
    """The named span context; an invalid one if the text is malformed."""
    return trace.get_current_span(_W3C.extract({"traceparent": traceparent}, Context())).get_span_context()


def _written(found: SpanContext) -> str | None:
    written: dict[str, str] = {}
    _W3C.inject(written, trace.set_span_in_context(trace.NonRecordingSpan(found), Context()))
    return written.get("traceparent")
