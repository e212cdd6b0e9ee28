"""Publishing, the access decision, and what of content becomes public."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.access.domain import Decision, Grant, decide_access, depends_on_grant
from catalog.bootstrap import DEFINITION
from catalog.content.domain import (
    CONTENT,
    EXCERPT_CHARS,
    ContentPublished,
    Lesson,
    Media,
    PublishContent,
    RequirePublished,
    Work,
    excerpt_of,
)
from catalog.content.projections import CounterRow
from catalog.content.rpc import _content
from catalog.interaction.domain import (
    INTERACTION,
    Commented,
    Completed,
    Event,
    Liked,
    Rated,
    Repeated,
    Shared,
    Unliked,
    Viewed,
    pair,
)
from contracts.avro import AvroCodec
from eventfold import Recorded, Sealed
from eventfold.errors import NotFound
from eventfold.publish.publisher import Publisher
from eventfold.testing import Story

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "Secret-body-7f3a"
MEDIA = Media("https://media.test/1", "0" * 64, 1000, 5)
WORK = Work(
    kind="course",
    title="T",
    byline=Sealed("m1", "byline", SECRET),
    body=SECRET,
    media=MEDIA,
    lessons=(Lesson("L", SECRET, MEDIA),),
    tags=("a", "b"),
    category=None,
    access="paid",
    excerpt="teaser",
)
PUBLISHED = ContentPublished("m1", WORK)
LIVE, ENDED, FOR_EVER = Grant(NOW + timedelta(seconds=1)), Grant(NOW), Grant(None)


def test_content_is_published_once() -> None:
    command = PublishContent("m1", WORK)
    published = Story(CONTENT.decider).when(command).then(PUBLISHED)
    published.when(command).then()


def test_what_is_not_published_cannot_be_acted_on() -> None:
    Story(CONTENT.decider).when(RequirePublished()).refused(NotFound, field="content_id")
    Story(CONTENT.decider).given(PUBLISHED).when(RequirePublished()).then()


@pytest.mark.parametrize(
    ("access", "member_id", "grant", "decision"),
    [
        ("free", None, None, Decision(True, "free")),
        ("free", "m2", None, Decision(True, "free")),
        ("paid", None, None, Decision(False, "anonymous")),
        ("paid", None, FOR_EVER, Decision(False, "anonymous")),
        ("paid", "m1", None, Decision(True, "own")),
        ("paid", "m2", None, Decision(False, "not_entitled")),
        ("paid", "m2", FOR_EVER, Decision(True, "entitled")),
        ("paid", "m2", LIVE, Decision(True, "entitled", LIVE.expires_at)),
        ("paid", "m2", ENDED, Decision(False, "not_entitled")),
        ("unheard-of", "m2", None, Decision(False, "not_entitled")),
    ],
)
def test_access(access: str, member_id: str | None, grant: Grant | None, decision: Decision) -> None:
    assert decide_access(access=access, creator_id="m1", member_id=member_id, grant=grant, now=NOW) == decision


@given(
    access=st.sampled_from(["free", "paid"]),
    member_id=st.sampled_from([None, "m1", "m2"]),
    ends_in_h=st.none() | st.integers(-2, 2),
)
def test_a_grant_that_is_not_looked_up_could_not_have_changed_the_decision(
    access: str, member_id: str | None, ends_in_h: int | None
) -> None:
    grant = Grant(None if ends_in_h is None else NOW + timedelta(hours=ends_in_h))
    decide = partial(decide_access, access=access, creator_id="m1", member_id=member_id, now=NOW)
    if not depends_on_grant(access=access, creator_id="m1", member_id=member_id):
        assert decide(grant=grant) == decide(grant=None)


@pytest.mark.parametrize("reason", ["anonymous", "not_entitled"])
def test_without_access_no_gated_byte_leaves(reason: str) -> None:
    answer = _content("c1", PUBLISHED, Decision(False, reason), CounterRow("c1", 0, 0, 0, 0, 0, 0, 0), "byline")
    assert SECRET.encode() not in answer.SerializeToString()
    assert MEDIA.uri.encode() not in answer.SerializeToString()
    assert (answer.excerpt, answer.access.reason) == ("teaser", reason)


def test_with_access_everything_is_there() -> None:
    answer = _content("c1", PUBLISHED, Decision(True, "own"), CounterRow("c1", 0, 0, 0, 0, 0, 0, 0), "byline")
    assert (answer.body, answer.media.uri, answer.lessons[0].body) == (SECRET, MEDIA.uri, SECRET)


@given(st.text(max_size=1000))
def test_the_preview_of_paid_content_is_never_the_content(body: str) -> None:
    excerpt = excerpt_of(body, "paid")
    assert body.startswith(excerpt) and len(excerpt) <= EXCERPT_CHARS
    assert 2 * len(excerpt) <= len(body)


def test_the_preview_of_free_content_is_its_beginning() -> None:
    assert excerpt_of("short", "free") == "short"
    assert excerpt_of("x" * 999, "free") == "x" * EXCERPT_CHARS


TEXT = Sealed("m1", "comment", SECRET)
INTERACTIONS: Sequence[Event] = [
    Viewed(7, SECRET),
    Liked(SECRET),
    Unliked(),
    Commented("c", TEXT, 3, SECRET),
    Shared("mail", ""),
    Rated(5, 4, ""),
    Rated(5, None),
    Completed(),
]


def stored(event: object, stream: str, key: str) -> Recorded:
    return Recorded(stream, 1, event, DEFINITION.codec.types[type(event)][0], key, NOW, NOW, seq=1)


def wire_of(recorded: Recorded) -> tuple[str, bytes, bytes]:
    record = Publisher("/lyceum/catalog", DEFINITION.to_public, AvroCodec()).encode(recorded)
    assert record is not None
    headers = b"".join(name.encode() + value for name, value in record.headers)
    return record.topic, record.key, record.value + headers


def test_bodies_lessons_and_bylines_never_reach_a_topic() -> None:
    topic, key, wire = wire_of(stored(PUBLISHED, "content-c1", "c1"))
    assert (topic, key) == ("lyceum.catalog.content", b"c1")
    assert SECRET.encode() not in wire
    assert b"teaser" in wire


@pytest.mark.parametrize("event", INTERACTIONS, ids=lambda event: type(event).__name__)
def test_comment_texts_and_client_keys_never_reach_a_topic(event: Event) -> None:
    topic, key, wire = wire_of(stored(event, INTERACTION.stream(pair("m1", "c1")), "m1"))
    assert topic == ("lyceum.catalog.learning" if isinstance(event, Completed) else "lyceum.catalog.interaction")
    assert key == b"m1"
    assert SECRET.encode() not in wire


def test_an_interaction_names_member_and_content() -> None:
    public = DEFINITION.to_public(stored(Rated(5, 4), INTERACTION.stream(pair("m1", "c-1/2")), "m1"))
    assert public is not None and public.type == "lyceum.catalog.interaction.rated.v1"
    assert public.data == {"member_id": "m1", "content_id": "c-1/2", "occurred_at": NOW, "rating": 5, "previous": 4}


def test_what_changed_nothing_is_not_told() -> None:
    assert DEFINITION.to_public(stored(Repeated("k"), INTERACTION.stream(pair("m1", "c1")), "m1")) is None


def test_every_stored_event_is_public_or_private_on_purpose() -> None:
    assert {type(event) for event in [PUBLISHED, *INTERACTIONS, Repeated("k")]} == set(DEFINITION.codec.types)


def test_published_content_comes_back_from_the_store_as_it_went() -> None:
    bare = ContentPublished("m1", replace(WORK, byline=None, media=None, lessons=(), tags=()))
    for event in (PUBLISHED, bare):
        assert DEFINITION.codec.decode(*DEFINITION.codec.encode(event)) == event
