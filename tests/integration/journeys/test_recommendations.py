"""Recommendations as members meet them: live, explained, correctable, and logged."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from community import Community, Session, eventually

from contracts.events.reco import IMPRESSION_SHOWN, PREFERENCE_CONTENT_HIDDEN
from lyceum_local.stack import LocalStack

TRIES = 20


def published(creator: Session, **fields: Any) -> str:
    work = {"kind": "text", "title": f"T {uuid.uuid4().hex[:8]}", "body": "b", "access": "free", **fields}
    content_id: str = creator.post("/v1/contents", work)["content_id"]
    return content_id


def saw(member: Session, content_id: str) -> str:
    """A view's consistency token."""
    token: str = member.post(f"/v1/contents/{content_id}/interactions", {"kind": "view"})["consistency_token"]
    return token


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["content_id"] for item in answer["items"]]


def reasoned(member: Session, after: list[str], **asked: object) -> dict[str, Any]:
    """An answer in which no place was left to chance, as some are."""
    for _ in range(TRIES):
        answer: dict[str, Any] = member.get_after("/v1/recommendations", after, **asked)
        if all(item["reason"] != "exploring" for item in answer["items"]):
            return answer
    raise AssertionError(f"{TRIES} answers in a row explore")


def test_given_what_others_chose_when_a_member_does_something_then_the_next_answer_knows_it(
    community: Community,
) -> None:
    """Seen content leaves the answer, and what members who saw it chose comes with a reason."""
    creator, member, other = community.member("creator"), community.member(), community.member()
    seen, then = published(creator), published(creator)
    tag = {"creator_id": creator.member_id, "limit": 5}
    tokens = [saw(other, seen), saw(other, then), saw(member, seen)]
    for method in ("items", "hybrid", "members"):
        answer = reasoned(member, tokens, method=method, **tag)
        assert ids(answer) == [then], method
        (item,) = answer["items"]
        assert item["reason"] in {"similar", "followed", "members"}, item
        assert item["words"]["zh"] and item["words"]["en"]
        assert answer["method"] == method and answer["personalised"] and answer["answer_id"]


def test_given_a_member_who_corrects_when_asked_again_then_it_holds(community: Community) -> None:
    creator, member = community.member("creator"), community.member()
    wanted, hidden = published(creator), published(creator)
    scope = {"creator_id": creator.member_id, "method": "items"}
    token = saw(community.member(), wanted)
    said = member.post(f"/v1/contents/{hidden}/feedback", {"kind": "hide"}, headers={"x-lyceum-after": token})
    after = [token, said["consistency_token"]]
    assert ids(member.get_after("/v1/recommendations", after, **scope)) == [wanted]
    assert [one["content_id"] for one in member.get_after("/v1/preferences", after)["hidden"]] == [hidden]
    off = member.post("/v1/preferences", {"personalised": False})["consistency_token"]
    assert member.get_after("/v1/recommendations", [off], **scope)["personalised"] is False
    anybody = community.anonymous()
    assert anybody.request("GET", "/v1/preferences").status_code == 401
    assert anybody.request("GET", "/v1/recommendations").status_code == 401
    assert anybody.request("GET", "/v1/trending").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/v1/contents/nothing/feedback", {"kind": "praise"}, "kind"),
        ("POST", "/v1/preferences", {}, "personalised"),
        ("POST", "/v1/preferences", {"interests": {"tags": ["x" * 51]}}, "interests.tags"),
        ("GET", "/v1/recommendations?limit=1000", None, "limit"),
        ("GET", "/v1/recommendations?method=magic", None, "method"),
        ("GET", "/v1/trending?half_life_hours=-1", None, "half_life_hours"),
    ],
)
def test_given_bad_input_when_sent_then_the_field_is_named(
    community: Community, method: str, path: str, body: dict[str, Any] | None, field: str
) -> None:
    answer = community.member().request(method, path, **({"json": body} if body is not None else {}))
    assert answer.status_code == 400, answer.text
    assert field in {one.get("metadata", {}).get("field") for one in answer.json()["details"]}


def test_given_an_answer_when_it_was_shown_then_an_impression_and_the_feedback_are_on_their_topics(
    community: Community, stack: LocalStack
) -> None:

    creator, member = community.member("creator"), community.member()
    content_id = published(creator)
    token = saw(community.member(), content_id)
    answer = member.get_after("/v1/recommendations", [token], creator_id=creator.member_id, slot="journey")
    member.post(f"/v1/contents/{content_id}/feedback", {"kind": "not_interested"})
    with psycopg.connect(stack.database_url("reco"), autocommit=True) as conn:

        def shown() -> Any:
            rows = conn.execute("SELECT items FROM impression WHERE answer_id = %s", [answer["answer_id"]]).fetchone()
            return rows and rows[0]

        assert [one["content_id"] for one in eventually(shown)] == [content_id]

        def marked() -> Any:
            found = "SELECT hidden FROM content_mark WHERE member_id = %s AND content_id = %s"
            row = conn.execute(found, [member.member_id, content_id]).fetchone()
            return row and row[0]

        assert eventually(marked) == "not_interested"
    assert (IMPRESSION_SHOWN.topic, PREFERENCE_CONTENT_HIDDEN.topic) == (
        "lyceum.reco.impression",
        "lyceum.reco.preference",
    )
