"""What is written beside every event: its id and its times."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from eventfold.decider import EVENT_ID_NAMESPACE, event_id, event_id_text
from eventfold.publish import rfc3339


@given(stream=st.text(st.characters(blacklist_categories=["Cs"])), version=st.integers(1, 2**31 - 1))
def test_an_events_id_is_the_uuid_of_its_place(stream: str, version: int) -> None:
    expected = uuid.uuid5(EVENT_ID_NAMESPACE, f"{stream}/{version}")
    assert event_id(stream, version) == expected and event_id_text(stream, version) == str(expected)


@given(at=st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_are_written_in_utc_with_microseconds(at: datetime) -> None:
    elsewhere = at.astimezone(timezone(timedelta(hours=8)))
    assert rfc3339(elsewhere) == rfc3339(at) == at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
