"""What comes of a due date is a trace of its own that links to the one that set the date, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from alarms import ALARM, PACE, Clock, SetAlarm, Touch, asked, dates, ring, rung, store_of, worker
from house import NOW, House, context
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from spanning import CAUSE, cause, exported, linked, told, written

from eventfold import Ask, Due, DueHandler, Item, tracing
from eventfold.errors import OutcomeUnknown, WrongState
from eventfold.publish import lease as leases
from eventfold.timers.due_worker import DueWorker
from eventfold.timers.intents import INTENT, Answer, RecordIntent, carrying_out, number_of
from eventfold.vocabulary.due import timer
from eventfold.write import due_dates

WEEKS = timedelta(weeks=3)
TEXT = "personal text"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    with exported() as exporter:
        yield exporter


async def record(house: House, item: Item, traceparent: str | None) -> None:
    await store_of(house).handle(item, replace(context(), traceparent=traceparent))


async def look(house: House, one: DueWorker) -> None:
    """One look, in a term of its own."""
    async with await house.connect() as conn:
        lease = await leases.acquire(conn, "due", "one", lease_s=60)
        assert lease
        await one.look(conn, lease)
        await leases.release(conn, lease)


async def traceparents(house: House, stream: str) -> list[Any]:
    rows = await house.rows(f"SELECT meta->>'traceparent' FROM events WHERE stream = '{stream}' ORDER BY version")
    return [row[0] for row in rows]


async def test_a_deadline_that_comes_weeks_later_links_to_what_set_it_and_its_events_carry_its_own_trace(
    house: House, spans: InMemorySpanExporter
) -> None:
    """Given a date set inside a trace, when it comes after other events, then its span links there, as no child."""
    clock = Clock()
    await record(house, asked("a", Touch()), cause(1))
    await record(house, asked("a", SetAlarm(NOW + WEEKS)), CAUSE)
    await record(house, asked("a", Touch()), cause(2))
    clock.pass_(WEEKS.total_seconds())
    await look(house, worker(house, clock))
    [span] = spans.get_finished_spans()
    assert (span.name, span.kind, span.parent) == ("due alarm", SpanKind.INTERNAL, None)
    assert linked(span) == [CAUSE] and written(span)[3:35] != CAUSE[3:35]
    assert await traceparents(house, "alarm-a") == [cause(1), CAUSE, cause(2), written(span)]
    assert told(span) == {"eventfold.worker": "due", "eventfold.stream_type": "alarm", "eventfold.attempt": 1}
    assert span.status.status_code is StatusCode.UNSET


async def test_each_date_of_a_look_has_a_span_of_its_own(house: House, spans: InMemorySpanExporter) -> None:
    causes: dict[str, str | None] = {"a": cause(1), "b": cause(2), "none": None, "malformed": "00-x"}
    for alarm, traceparent in causes.items():
        await record(house, asked(alarm, SetAlarm(NOW)), traceparent)
    await look(house, worker(house, Clock()))
    by_trace = {written(span): span for span in spans.get_finished_spans()}
    assert len(by_trace) == 4
    for alarm, links in (("a", [cause(1)]), ("b", [cause(2)]), ("none", []), ("malformed", [])):
        _, traceparent = await traceparents(house, f"alarm-{alarm}")
        assert linked(by_trace[traceparent]) == links


async def test_a_date_that_is_looked_at_again_links_to_the_same_and_one_that_is_set_anew_to_the_new(
    house: House, spans: InMemorySpanExporter
) -> None:
    def react(due: Due) -> Item | None:
        return ring(due) if due.attempt == 2 else None

    clock = Clock()
    one = worker(house, clock, timer(ALARM, react, PACE))
    await record(house, asked("a", SetAlarm(NOW)), cause(1))
    await look(house, one)
    clock.pass_(1)
    await look(house, one)
    await record(house, asked("a", SetAlarm(clock.now)), cause(2))
    await look(house, one)
    looks = spans.get_finished_spans()
    assert [(told(span)["eventfold.attempt"], linked(span)) for span in looks] == [
        (1, [cause(1)]),
        (2, [cause(1)]),
        (1, [cause(2)]),
    ]
    assert len({written(span)[3:35] for span in looks}) == 3


async def test_what_a_handler_asks_for_outside_is_inside_its_span(house: House, spans: InMemorySpanExporter) -> None:
    seen: list[str | None] = []

    async def handle(due: Due) -> Item:
        seen.append(tracing.current())
        return Item(ring(due).asks, replace(context("somebody"), traceparent=CAUSE))

    await record(house, asked("a", SetAlarm(NOW)), CAUSE)
    await look(house, worker(house, Clock(), DueHandler(ALARM, handle, PACE)))
    [span] = spans.get_finished_spans()
    assert seen == [written(span)]
    rows = await house.rows("SELECT meta->>'actor', meta->>'traceparent' FROM events WHERE version = 2")
    assert rows == [("somebody", written(span))], "what the handler says of the actor stands, the trace is the worker's"


@pytest.mark.parametrize("failure", [OutcomeUnknown("p", TEXT), TimeoutError(TEXT), WrongState(TEXT)], ids=repr)
async def test_a_handler_without_an_answer_is_an_error_of_which_only_the_kind_is_told(
    house: House, spans: InMemorySpanExporter, failure: Exception
) -> None:
    async def handle(due: Due) -> Item:
        raise failure

    await record(house, asked("secret-id", SetAlarm(NOW)), CAUSE)
    await look(house, worker(house, Clock(), DueHandler(ALARM, handle, PACE)))
    [span] = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR and told(span)["error.type"] == type(failure).__name__
    assert TEXT not in span.to_json() and "secret" not in span.to_json()
    assert [row[2] for row in await dates(house)] == [1], "it is looked at again"


class Bank:
    """Does at once what it is asked for."""

    async def execute(self, number: str, request: Mapping[str, Any]) -> Answer:
        return Answer("succeeded", "ref")

    async def query(self, number: str) -> Answer | None:
        raise AssertionError("it has not been asked before")


async def test_an_intent_is_carried_out_in_a_trace_that_links_to_what_recorded_it(
    house: House, spans: InMemorySpanExporter
) -> None:
    number = number_of("event", "refund")
    await record(house, Item((Ask(INTENT, number, RecordIntent("bank", {"amount_minor": 900})),)), CAUSE)
    await look(house, worker(house, Clock(), carrying_out({"bank": Bank()}, PACE)))
    [span] = spans.get_finished_spans()
    assert span.name == "due intent" and linked(span) == [CAUSE] and number not in span.to_json()
    assert await traceparents(house, f"intent-{number}") == [CAUSE, written(span)]


async def test_where_no_spans_are_recorded_causes_are_not_looked_for_and_events_carry_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def causes(*_: Any) -> dict[str, str]:
        raise AssertionError("nobody needs them")

    monkeypatch.setattr(due_dates, "causes", causes)
    await record(house, asked("a", SetAlarm(NOW)), CAUSE)
    await look(house, worker(house, Clock()))
    assert await rung(house) == {"a": 1} and await traceparents(house, "alarm-a") == [CAUSE, None]
