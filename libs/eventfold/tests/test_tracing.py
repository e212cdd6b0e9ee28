"""Spans from a command over Kafka to its folds and reactions, on a real PostgreSQL and Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from delivering import Delivered, record
from house import House, context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import messaging_attributes as names
from opentelemetry.trace import SpanKind, StatusCode
from reading import header, read_all
from relaying import eventually, everything_acknowledged, relaying
from shelf import COUNTS, FILLED, SHELF, TOPIC, AddBook, JsonInsteadOfAvro, add, count, keys
from spanning import CAUSE, cause, exported, linked, told

from eventfold import Ask, FoldGroup, Item, Process, Projection, PublicRecord, tracing
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics

COUNTING = Projection("counting", (FILLED,), (COUNTS,), keys, count)
MALFORMED = [
    "",
    "x",
    "00",
    CAUSE[:-1],
    CAUSE.replace("00-", "ff-", 1),
    CAUSE.replace("0af7", "0AF7"),
    f"00-{'0' * 32}-b7ad6b7169203331-01",
    f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    "é" * 55,
    CAUSE * 1000,
]


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    with exported() as exporter:
        yield exporter


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> AsyncIterator[str]:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=1)
    yield house.prefix + TOPIC


def react(event: PublicRecord) -> list[Item]:
    return [Item((Ask(SHELF, f"copy-{event.data['shelf']}", AddBook(event.data["title"])),))]


def runner(house: House, *processes: Process) -> FoldRunner:
    return FoldRunner(
        worker="worker",
        pool=house.pool,
        avro=JsonInsteadOfAvro(),
        groups=[FoldGroup("one", () if processes else (COUNTING,), processes)],
        store=house.store,
        topic_prefix=house.prefix,
        clock=lambda: datetime.now(UTC),
    )


def of(spans: InMemorySpanExporter, operation: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if told(span).get(names.MESSAGING_OPERATION_NAME) == operation]


def with_cause(one: Delivered, traceparent: str) -> Delivered:
    return replace(one, headers=[*one.headers, ("traceparent", traceparent.encode())])


async def test_a_commands_span_is_linked_from_the_batch_that_sends_and_from_the_one_that_folds_its_events(
    house: House, brokers: Brokers, topic: str, spans: InMemorySpanExporter
) -> None:
    """Given a command inside a span, when its event is relayed and folded, then both spans link to the command's."""
    with tracing.span("command", SpanKind.SERVER, {}, parent=CAUSE) as serving:
        traceparent = tracing.current()
        await house.store.handle(add("one", "a"), replace(context(), traceparent=traceparent))
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    records = await read_all(brokers, topic)
    assert header(records[0], "traceparent") == traceparent
    await runner(house).apply([PartitionBatch(topic, 0, records)])

    [sent], [folded] = of(spans, "send"), of(spans, "process")
    assert [linked(one) for one in (sent, folded)] == [[traceparent]] * 2
    assert serving.get_span_context().trace_id == int(CAUSE[3:35], 16)
    assert (sent.kind, folded.kind, sent.name, folded.name) == (
        SpanKind.CLIENT,
        SpanKind.CONSUMER,
        f"send {topic}",
        f"process {topic}",
    )
    shared = {
        names.MESSAGING_SYSTEM: "kafka",
        names.MESSAGING_DESTINATION_NAME: topic,
        names.MESSAGING_DESTINATION_PARTITION_ID: "0",
        names.MESSAGING_BATCH_MESSAGE_COUNT: 1,
    }
    for span, operation, client in ((sent, "send", "relay"), (folded, "process", "worker")):
        operations = {names.MESSAGING_OPERATION_NAME: operation, names.MESSAGING_OPERATION_TYPE: operation}
        assert told(span) == {**shared, **operations, names.MESSAGING_CLIENT_ID: client}


async def test_private_events_alone_send_nothing_and_have_no_span(
    house: House, brokers: Brokers, topic: str, spans: InMemorySpanExporter
) -> None:
    await house.store.handle(add("one", "audit"), context())
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    assert of(spans, "send") == []


async def apply(house: House, causes: Sequence[str], *processes: Process) -> None:
    """Fold one event per cause, in one fetch."""
    records = [with_cause(record(n, n + 1, "a", f"b{n}"), one) for n, one in enumerate(causes)]
    await runner(house, *processes).apply([PartitionBatch(house.prefix + TOPIC, 0, records)])


async def test_the_links_of_a_batch_are_bounded_and_different(house: House, spans: InMemorySpanExporter) -> None:
    """Given 100 events of 50 causes in a fetch, then its span counts all and links to the first 32 causes."""
    await apply(house, [cause(1 + number // 2) for number in range(100)])
    [folded] = of(spans, "process")
    assert told(folded)[names.MESSAGING_BATCH_MESSAGE_COUNT] == 100
    assert linked(folded) == [cause(number) for number in range(1, 33)]


async def test_a_malformed_cause_is_ignored_and_hinders_nothing(house: House, spans: InMemorySpanExporter) -> None:
    await apply(house, [*MALFORMED, CAUSE])
    [folded] = of(spans, "process")
    assert linked(folded) == [CAUSE]
    assert await house.rows("SELECT books FROM shelf_count") == [(len(MALFORMED) + 1,)]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_traceparent_is_neither_stored_nor_continued(text: str, spans: InMemorySpanExporter) -> None:
    assert tracing.checked(text) is None
    with tracing.span("command", SpanKind.SERVER, {}, parent=text):
        assert tracing.current() is not None
    [span] = spans.get_finished_spans()
    assert span.parent is None


def test_space_around_a_traceparent_is_not_stored() -> None:
    assert tracing.checked(f" {CAUSE}\n") == CAUSE


def react_with_context(event: PublicRecord) -> list[Item]:
    said = replace(context(), causation_id=event.id)
    return [replace(item, context=said) for item in react(event)]


@pytest.mark.parametrize("reaction", [react, react_with_context])
async def test_reactions_carry_the_trace_of_what_caused_each(house: House, reaction: Any) -> None:
    """Given reactions to three events, whether or not they say what surrounds them, each has its own cause's trace."""
    await apply(house, [cause(1), "malformed", cause(2)], Process("copying", (FILLED,), reaction))
    rows = await house.rows("SELECT meta->>'traceparent', meta->>'causation_id' FROM events ORDER BY version")
    ids = [public_record(n).id for n in range(3)]
    assert rows == [(cause(1), ids[0]), (None, ids[1]), (cause(2), ids[2])]


def public_record(number: int) -> PublicRecord:
    one = record(number, number + 1, "a", f"b{number}")
    return PublicRecord(TOPIC, 0, one, {})


async def test_a_fold_that_fails_is_an_error_of_which_only_the_kind_is_told(
    house: House, spans: InMemorySpanExporter
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("personal text")

    halting = replace(COUNTING, fold=broken)
    failing = FoldRunner(
        worker="w",
        pool=house.pool,
        avro=JsonInsteadOfAvro(),
        groups=[FoldGroup("one", (halting,))],
        topic_prefix=house.prefix,
    )
    with pytest.raises(RuntimeError):
        await failing.apply([PartitionBatch(house.prefix + TOPIC, 0, [record(0, 1, "a", "x")])])
    [folded] = of(spans, "process")
    assert folded.status.status_code is StatusCode.ERROR and told(folded)["error.type"] == "RuntimeError"
    assert "personal text" not in folded.to_json()


async def test_no_title_or_shelf_of_an_event_is_in_any_span(
    house: House, brokers: Brokers, topic: str, spans: InMemorySpanExporter
) -> None:
    await house.store.handle(add("secret-shelf", "secret-title"), replace(context(), traceparent=CAUSE))
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    await runner(house).apply([PartitionBatch(topic, 0, await read_all(brokers, topic))])
    found = [span.to_json() for span in spans.get_finished_spans()]
    assert len(found) == 2 and not [text for text in found if "secret" in text]


async def test_concurrent_spans_keep_to_their_tasks(spans: InMemorySpanExporter) -> None:
    async def inside(number: int) -> tuple[int, str | None]:
        with tracing.span("command", SpanKind.SERVER, {}, parent=cause(number)):
            await asyncio.sleep(0)
            return number, tracing.current()

    for number, found in await asyncio.gather(*(inside(number) for number in range(1, 20))):
        assert found is not None and found.startswith(cause(number)[:35])


def test_without_a_provider_nothing_is_looked_at() -> None:
    """Given no provider, then neither places nor headers of a batch are asked for, and no span is current."""
    places, headers = iter([("topic", 0)]), iter([{"traceparent": CAUSE.encode()}])
    with tracing.batch("send", SpanKind.CLIENT, "c", places, headers) as span:
        assert not span.is_recording()
    assert (len(list(places)), len(list(headers))) == (1, 1)
    with tracing.span("command", SpanKind.SERVER, {}, parent=CAUSE) as span:
        assert not span.is_recording() and tracing.current() is None
    assert tracing.checked(CAUSE) == CAUSE
