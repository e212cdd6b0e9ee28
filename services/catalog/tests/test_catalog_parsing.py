"""What comes over the wire: accepted values, refusals that name their field, page tokens."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.content import parsing
from catalog.interaction import parsing as acts
from catalog.interaction.domain import IMPORTED
from eventfold.errors import InvalidInput
from lyceum.catalog.v1 import catalog_pb2 as pb
from servicekit import validate
from servicekit.paging import PageStart, page_token, parse_page_token

URI = "https://m.test/1"
MEDIA = pb.Media(uri=URI, sha256="ab" * 32, duration_ms=1, size_bytes=2)
Change = Callable[[pb.PublishContentRequest], Any]


def request(**changes: Any) -> pb.PublishContentRequest:
    return pb.PublishContentRequest(**{"title": "T", "kind": "text", "body": "B", "access": "free", **changes})


def test_a_text_is_accepted_with_its_defaults() -> None:
    made = parsing.manuscript(request(tags=["b", "a", "b"], byline="某人"), "c1", "m1")
    assert (made.content_id, made.creator_id, made.byline) == ("c1", "m1", "某人")
    assert (made.work.access, made.work.tags, made.work.category, made.work.excerpt) == ("free", ("b", "a"), None, "B")


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
def test_media_kinds_need_their_media(kind: str) -> None:
    assert parsing.manuscript(request(kind=kind, body="", media=MEDIA), "c1", "m1").work.media
    with pytest.raises(InvalidInput) as refused:
        parsing.manuscript(request(kind=kind, body=""), "c1", "m1")
    assert refused.value.field == "media"


def test_a_course_that_could_not_be_answered_whole_is_refused() -> None:
    """3.8 MB of angle brackets come back as 22.8 MB of JSON."""
    lessons = [pb.Lesson(title="L", body="<" * 190_000) for _ in range(20)]
    with pytest.raises(InvalidInput, match="as JSON") as refused:
        parsing.manuscript(request(kind="course", body="", lessons=lessons), "c1", "m1")
    assert refused.value.field == "lessons"
    plain = [pb.Lesson(title="L", body="x" * 190_000) for _ in range(20)]
    assert parsing.manuscript(request(kind="course", body="", lessons=plain), "c1", "m1").work.lessons


def test_a_course_has_lessons() -> None:
    made = parsing.manuscript(
        request(kind="course", body="", lessons=[pb.Lesson(title="L", body="x"), pb.Lesson(title="M", media=MEDIA)]),
        "c1",
        "m1",
    )
    assert [lesson.title for lesson in made.work.lessons] == ["L", "M"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "a\x00"}, "title"),
        *(({"title": odd}, "title") for odd in (" ", "　", "a\nb", "a\x1b[31m", "a\u202eb", "\u200b")),
        *(
            ({"kind": "video", "media": pb.Media(uri=uri, sha256="ab" * 32)}, "media.uri")
            for uri in (
                "javascript:alert(1)",
                "file:///etc/passwd",
                "data:text/html,x",
                "https://",
                "//m.test/1",
                "https://m.test/a b",
                "https://m.test/\n",
                "https://[::1",
                "JAVASCRIPT://m.test/%0aalert(1)",
            )
        ),
        ({"access": ""}, "access"),
        ({"byline": "a\nb"}, "byline"),
        ({"kind": "podcast"}, "kind"),
        ({"kind": ""}, "kind"),
        ({"body": ""}, "body"),
        ({"body": "x" * 200_001}, "body"),
        ({"access": "vip"}, "access"),
        ({"tags": ["x"] * 21}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 51]}, "tags"),
        ({"excerpt": "x" * 201}, "excerpt"),
        ({"byline": "x" * 51}, "byline"),
        ({"category": "x" * 51}, "category"),
        ({"kind": "video", "media": pb.Media(uri=URI, sha256="zz")}, "media.sha256"),
        ({"kind": "video", "media": pb.Media(uri=URI, sha256="AB" * 32)}, "media.sha256"),
        ({"kind": "video", "media": pb.Media(sha256="ab" * 32)}, "media.uri"),
        (
            {"kind": "video", "media": pb.Media(uri=URI, sha256="ab" * 32, duration_ms=-1)},
            "media.duration_ms",
        ),
        ({"kind": "course", "lessons": [pb.Lesson(title="")]}, "lessons[0].title"),
    ],
)
def test_what_cannot_be_published_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parsing.manuscript(request(**changes), "c1", "m1")
    assert refused.value.field == field


def test_the_short_form_names_its_own_fields() -> None:
    for short, field in ((pb.PublishRequest(title="T"), "content"), (pb.PublishRequest(content="B"), "title")):
        with pytest.raises(InvalidInput) as refused:
            parsing.short_manuscript(short, "c1", "m1")
        assert refused.value.field == field


@pytest.mark.parametrize(
    ("interaction", "field"),
    [
        (pb.Interaction(kind="hug"), "kind"),
        (pb.Interaction(kind="rate"), "rating"),
        (pb.Interaction(kind="rate", rating=6), "rating"),
        (pb.Interaction(kind="comment"), "comment"),
        (pb.Interaction(kind="comment", comment="x" * 5001), "comment"),
        (pb.Interaction(kind="comment", comment=" \n"), "comment"),
        (pb.Interaction(kind="share"), "channel"),
        (pb.Interaction(kind="view", watched_ms=-1), "watched_ms"),
        (pb.Interaction(kind="view", client_key="x" * 201), "client_key"),
        (pb.Interaction(kind="view", client_key=f"{IMPORTED}1"), "client_key"),
    ],
)
def test_acts_that_make_no_sense_are_refused_by_field(interaction: pb.Interaction, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        acts.act(interaction, "m1", "c1")
    assert refused.value.field == field


@given(st.datetimes(timezones=st.just(UTC)), st.text(max_size=40).filter(lambda text: "\x00" not in text))
def test_a_page_token_leads_back_to_its_place(at: datetime, row_id: str) -> None:
    try:
        place = PageStart(at, row_id.encode().decode())
    except UnicodeEncodeError:
        return
    assert parse_page_token(page_token(place)) == place


def test_no_token_is_the_first_page() -> None:
    assert parse_page_token("") is None


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "!!!",
        "ÿ",
        encoded("{}"),
        encoded("[]"),
        encoded("null"),
        encoded("7"),
        encoded('["x", "y"]'),
        encoded('[1, "y"]'),
        encoded('["2026-01-01T00:00:00", "y"]'),
        encoded('["2026-01-01T00:00:00+00:00", "\\u0000"]'),
        encoded('["2026-01-01T00:00:00+00:00", "a", "b"]'),
    ],
)
def test_other_tokens_are_refused(token: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_page_token(token)
    assert refused.value.field == "page_token"


@given(st.text(max_size=60))
def test_no_token_whatever_breaks_the_parser(token: str) -> None:
    try:
        parse_page_token(token)
    except InvalidInput as refused:
        assert refused.field == "page_token"


def test_ids_that_postgresql_cannot_hold_are_refused() -> None:
    with pytest.raises(InvalidInput):
        validate.asked_id("a\x00b", "content_id")
