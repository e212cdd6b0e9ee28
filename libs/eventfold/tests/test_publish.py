"""What is written beside every event: its id and its times."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from shelf import JsonInsteadOfAvro, to_public

from eventfold.measured.ids import event_id_text, plain_event_id_text
from eventfold.measured.times import at_us, plain_timestamp, rfc3339, timestamp
from eventfold.publish.publisher import Envelope, Publisher
from eventfold.vocabulary.decider import EVENT_ID_NAMESPACE, event_id

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]))


@given(stream=TEXTS, version=st.integers(1, 2**31 - 1))
def test_an_events_id_is_the_uuid_of_its_place(stream: str, version: int) -> None:
    assert event_id(stream, version) == uuid.uuid5(EVENT_ID_NAMESPACE, f"{stream}/{version}")


@given(stream=TEXTS, version=st.integers(1, 2**31 - 1), salt=TEXTS)
def test_both_forms_of_an_events_id_agree(stream: str, version: int, salt: str) -> None:
    assert event_id_text(stream, version, salt) == plain_event_id_text(stream, version, salt)


@given(since_1970_us=st.integers(-6 * 10**16, 2 * 10**17))
def test_both_forms_of_a_time_agree(since_1970_us: int) -> None:
    assert timestamp(since_1970_us) == plain_timestamp(since_1970_us)


@given(at=st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_are_written_in_utc_with_microseconds(at: datetime) -> None:
    elsewhere = at.astimezone(timezone(timedelta(hours=8)))
    assert rfc3339(elsewhere) == rfc3339(at) == at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@given(occurred_us=st.integers(-6 * 10**16, 4 * 10**15), now_s=st.floats(0, 4 * 10**9))
def test_a_record_is_sent_with_a_time_that_a_broker_takes_and_says_its_own(occurred_us: int, now_s: float) -> None:
    publisher = Publisher("/library", to_public, JsonInsteadOfAvro(), clock_s=lambda: now_s)
    value = JsonInsteadOfAvro().encode("test.library.shelf.filled.v1", {"title": "a"})
    envelope = Envelope("shelf-a", 1, "a", occurred_us, occurred_us, 1, None, None, None, backfill=False)
    record = publisher.record(value, envelope)
    assert 0 <= record.timestamp_ms <= max(0, int(now_s * 1000))
    if 0 <= occurred_us // 1000 <= now_s * 1000:
        assert record.timestamp_ms == occurred_us // 1000
    assert dict(record.headers)["ce_time"].decode() == rfc3339(at_us(occurred_us))
