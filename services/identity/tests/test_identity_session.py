"""Decisions about sessions: rotation, reuse, grace, end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from identity.domain.codec import CODEC
from identity.domain.session import (
    GRACE,
    SESSION,
    Command,
    Event,
    RefreshSession,
    RevokeSession,
    SessionRefreshed,
    SessionRevoked,
    SessionStarted,
    StartSession,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = NOW + timedelta(days=30)
STARTED = SessionStarted("m1", "t1", END)
ROTATED = SessionRefreshed("t2", NOW)


def when(given_events: Sequence[Event], command: Command) -> list[Event]:
    decider = SESSION.decider
    return list(decider.decide(command, decider.fold(given_events)))


def refresh(presented: str, following: str = "next", now: datetime = NOW) -> RefreshSession:
    return RefreshSession(presented, following, now)


def test_a_session_starts_once() -> None:
    assert when([], StartSession("m1", "t1", END)) == [STARTED]
    assert when([STARTED], StartSession("m1", "t1", END)) == []


def test_the_current_token_is_replaced() -> None:
    assert when([STARTED], refresh("t1")) == [SessionRefreshed("next", NOW)]
    assert when([STARTED, ROTATED], refresh("t2")) == [SessionRefreshed("next", NOW)]


def test_the_token_just_replaced_is_good_for_the_grace_and_not_longer() -> None:
    assert when([STARTED, ROTATED], refresh("t1", now=NOW + GRACE)) == [SessionRefreshed("next", NOW + GRACE)]
    late = NOW + GRACE + timedelta(microseconds=1)
    assert when([STARTED, ROTATED], refresh("t1", now=late)) == [SessionRevoked("reused")]


def test_who_presents_the_same_token_at_once_is_given_the_same_next_one_and_all_go_on_with_it() -> None:
    """Given five tabs that refresh at once, and again when their access tokens end, then each is served each time."""
    events: list[Event] = [STARTED]
    presented, now = "t1", NOW
    for following in ("t2", "t3", "t4"):
        for tab in range(5):
            events += when(events, refresh(presented, following, now + timedelta(seconds=tab)))
            state = SESSION.decider.fold(events)
            assert state is not None and state.takes(following, now + timedelta(seconds=tab))
        presented, now = following, now + timedelta(minutes=10)
    assert len(events) == 4


def test_who_presents_a_stolen_token_later_is_found() -> None:
    for late in (GRACE + timedelta(seconds=1), timedelta(minutes=10), timedelta(days=1)):
        assert when([STARTED, ROTATED], refresh("t1", "t2", NOW + late)) == [SessionRevoked("reused")]


def test_an_older_token_ends_the_family_even_within_the_grace() -> None:
    events: list[Event] = [STARTED, ROTATED, SessionRefreshed("t3", NOW)]
    assert when(events, refresh("t1")) == [SessionRevoked("reused")]


def test_after_a_reuse_not_even_the_current_token_is_good() -> None:
    assert when([STARTED, ROTATED, SessionRevoked("reused")], refresh("t2")) == []


def test_a_session_ends_in_the_end_however_often_it_was_refreshed() -> None:
    assert when([STARTED, ROTATED], refresh("t2", now=END)) == []


def test_logging_out_ends_it_and_repeating_does_nothing() -> None:
    assert when([STARTED], RevokeSession("t1")) == [SessionRevoked("logged_out")]
    assert when([STARTED, ROTATED], RevokeSession("t1")) == [SessionRevoked("logged_out")]
    assert when([STARTED, SessionRevoked("logged_out")], RevokeSession("t1")) == []


def test_a_session_that_never_was_grants_and_ends_nothing() -> None:
    assert when([], refresh("t1")) == []
    assert when([], RevokeSession("t1")) == []


@given(st.lists(st.sampled_from(["t0", "t1", "t2", "t3", "t4"]), max_size=12), st.data())
def test_at_most_one_token_is_good_outside_the_grace(presented: list[str], data: st.DataObject) -> None:
    """Whatever is presented, and however late: once the grace is over one token refreshes, or none."""
    decider = SESSION.decider
    events: list[Event] = [SessionStarted("m1", "t0", END)]
    now = NOW
    for index, token in enumerate(presented):
        now += timedelta(seconds=data.draw(st.integers(0, 20)))
        events += when(events, refresh(token, f"t{index + 1}", now))
    later = now + GRACE + timedelta(seconds=1)
    state = decider.fold(events)
    issued = ["t0", *(f"t{index + 1}" for index in range(len(presented)))]
    answers = {token: list(decider.decide(refresh(token, "z", later), state)) for token in issued}
    good = [token for token, events in answers.items() if any(isinstance(one, SessionRefreshed) for one in events)]
    assert state is not None
    assert good == ([] if state.revoked else [state.current_hash])


def test_events_come_back_from_the_store_as_they_went() -> None:
    for event in (STARTED, ROTATED, SessionRevoked("reused")):
        assert CODEC.decode(*CODEC.encode(event)) == event
