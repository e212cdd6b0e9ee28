"""Decisions about interactions: what counts, what repeats, what is remembered."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.bootstrap import DEFINITION
from catalog.interaction.domain import (
    IMPORTED,
    INTERACTION,
    REMEMBERED_KEYS,
    Command,
    Comment,
    Commented,
    Complete,
    Completed,
    Event,
    Like,
    Liked,
    Rate,
    Rated,
    Repeated,
    Share,
    Shared,
    Unlike,
    Unliked,
    View,
    Viewed,
    content_of,
    member_of,
    pair,
)
from eventfold import Sealed

TEXT = Sealed("m1", "comment", "box")
DECIDER = INTERACTION.decider


def when(given_events: Sequence[Event], command: Command) -> list[Event]:
    return list(DECIDER.decide(command, DECIDER.fold(given_events)))


def done(commands: Sequence[Command], events: Sequence[Event] = ()) -> list[Event]:
    """All events after the commands were taken one after the other."""
    recorded = list(events)
    for command in commands:
        recorded += when(recorded, command)
    return recorded


def test_liking_twice_is_liking_once() -> None:
    assert done([Like(), Like()]) == [Liked()]


def test_a_like_is_taken_back_once_and_may_be_given_again() -> None:
    assert done([Unlike()]) == []
    assert done([Like(), Unlike(), Unlike(), Like()]) == [Liked(), Unliked(), Liked()]


def test_every_look_counts() -> None:
    assert done([View(5, ""), View(5, "")]) == [Viewed(5, ""), Viewed(5, "")]


def test_a_look_sent_again_under_its_key_counts_once() -> None:
    assert done([View(5, "k"), View(5, "k"), View(5, "l")]) == [Viewed(5, "k"), Viewed(5, "l")]


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (Comment("c1", TEXT, 3, "k"), Commented("c1", TEXT, 3, "k")),
        (Share("mail", "k"), Shared("mail", "k")),
        (Like("k"), Liked("k")),
        (Rate(4, "k"), Rated(4, None, "k")),
        (Complete("k"), Completed("k")),
    ],
    ids=repr,
)
def test_every_kind_of_act_sent_again_under_its_key_records_nothing(command: Command, event: Event) -> None:
    assert done([command, command]) == [event]


def test_a_key_holds_for_all_kinds() -> None:
    assert done([View(0, "k"), Share("mail", "k")]) == [Viewed(0, "k")]


def test_client_keys_are_forgotten_after_a_bounded_number() -> None:
    newer: list[Command] = [View(0, f"k{n}") for n in range(REMEMBERED_KEYS)]
    events = done([View(0, "first"), *newer])
    assert when(events, View(0, "k0")) == []
    assert when(events, View(0, "first")) == [Viewed(0, "first")]


def test_a_rating_replaces_the_one_before_and_says_which() -> None:
    assert done([Rate(4), Rate(4), Rate(5)]) == [Rated(4, None), Rated(5, 4)]


def test_content_is_completed_once() -> None:
    assert done([Complete(), Complete()]) == [Completed()]


def imported(command: Command, number: int) -> Command:
    key = f"{IMPORTED}{number}"
    match command:
        case View(watched_ms):
            return View(watched_ms, key)
        case Share(channel):
            return Share(channel, key)
        case Rate(rating):
            return Rate(rating, key)
        case Like():
            return Like(key)
        case Unlike():
            return Unlike(key)
        case Complete():
            return Complete(key)
        case Comment():
            return Comment(f"c{number}", TEXT, 3, key)


def test_an_imported_act_that_changed_nothing_is_remembered_once() -> None:
    rows = [imported(Like(), 1), imported(Like(), 2), imported(Unlike(), 3)]
    events = done(rows)
    assert events == [Liked(f"{IMPORTED}1"), Repeated(f"{IMPORTED}2"), Unliked(f"{IMPORTED}3")]
    assert done(rows, events) == events


ACTS = st.sampled_from([View(1, ""), Like(), Unlike(), Share("mail", ""), Rate(1), Rate(5), Complete()])


@given(st.lists(ACTS, max_size=80), st.lists(ACTS, max_size=5), st.integers(0, 80))
def test_an_import_may_be_run_again_whole_or_in_part_and_changes_nothing(
    rows: list[Command], live: list[Command], start: int
) -> None:
    """Given an import and what members did after it, when it runs again from any row, then nothing is recorded."""
    keyed = [imported(command, number) for number, command in enumerate(rows)]
    events = done(live, done(keyed))
    assert done(keyed[start:], events) == events


@given(st.lists(ACTS, max_size=30))
def test_likes_and_unlikes_alternate_and_ratings_chain(commands: list[Command]) -> None:
    events = done(commands)
    likes = [type(event) for event in events if isinstance(event, Liked | Unliked)]
    assert likes == [Liked, Unliked] * (len(likes) // 2) + [Liked] * (len(likes) % 2)
    ratings = [event for event in events if isinstance(event, Rated)]
    assert [one.previous for one in ratings] == [None, *(one.rating for one in ratings)][: len(ratings)]


def test_all_of_a_members_interactions_share_a_partition() -> None:
    stream_id = pair("m1", "c1")
    assert (member_of(stream_id), content_of(stream_id)) == ("m1", "c1")
    assert INTERACTION.partition_key(stream_id) == INTERACTION.partition_key(pair("m1", "c2")) == "m1"


@pytest.mark.parametrize(
    "event",
    [
        Viewed(5, "k"),
        Liked("k"),
        Unliked(),
        Commented("c", TEXT, 3, ""),
        Shared("mail", ""),
        Rated(5, 4, "k"),
        Rated(5, None),
        Completed(),
        Repeated("k"),
    ],
    ids=repr,
)
def test_events_come_back_from_the_store_as_they_went(event: Event) -> None:
    assert DEFINITION.codec.decode(*DEFINITION.codec.encode(event)) == event


def test_likes_that_were_stored_without_a_key_are_still_read() -> None:
    assert DEFINITION.codec.decode("interaction.liked", 1, {}) == Liked("")
