"""The source document's worked requests, through the gateway."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from community import PASSWORD, Community

PUBLICATION = {"title": "Python编程基础", "author": "王老师", "content": "变量、循环与函数。"}


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_registering_answers_the_documents_sentence(community: Community, form: bool) -> None:
    fields = {"username": f"user1-{uuid.uuid4().hex[:8]}", "password": "password123"}
    body: dict[str, Any] = {"data": fields} if form else {"json": fields}
    answer = community.anonymous().request("POST", "/register", **body)
    assert (answer.status_code, answer.json()) == (200, {"message": "User registered successfully."})
    assert community.log_in(fields["username"]).member_id


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_publishing_answers_the_documents_sentence(community: Community, form: bool) -> None:
    creator = community.member("creator")
    body: dict[str, Any] = {"data": PUBLICATION} if form else {"json": PUBLICATION}
    answer = creator.request("POST", "/publish", **body)
    assert (answer.status_code, answer.json()) == (200, {"message": "Content published successfully."})
    listed = creator.get_after("/v1/contents", [answer.headers["x-lyceum-token"]], creator_id=creator.member_id)
    content = creator.get(f"/v1/contents/{listed['contents'][0]['content_id']}")
    assert (content["title"], content["byline"], content["body"]) == tuple(PUBLICATION.values())
    assert content["published_at"] == listed["contents"][0]["published_at"]
    assert content["creator_id"] == creator.member_id, "the account is the token's, the author only the byline"


def test_a_consumer_may_not_publish(community: Community) -> None:
    answer = community.member().request("POST", "/publish", json=PUBLICATION)
    assert answer.status_code == 403 and answer.json()["code"] == 7


def test_publishing_needs_a_token(community: Community) -> None:
    assert community.anonymous().request("POST", "/publish", json=PUBLICATION).status_code == 401


def test_a_name_is_taken_once_whatever_its_case(community: Community) -> None:
    name = f"Ming-{uuid.uuid4().hex[:8]}"
    community.anonymous().post("/register", {"username": name, "password": PASSWORD})
    again = community.anonymous().request("POST", "/register", json={"username": name.upper(), "password": PASSWORD})
    assert again.status_code == 409 and name.upper() not in again.text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"username": "ab", "password": PASSWORD}, "username"),
        ({"username": "abc def", "password": PASSWORD}, "username"),
        ({"username": "valid-name", "password": "short"}, "password"),
        ({"username": "valid-name", "password": PASSWORD, "role": "admin"}, "role"),
        ({"username": "valid-name", "password": PASSWORD, "email": "nobody"}, "email"),
    ],
)
def test_a_refusal_names_the_field_and_repeats_nothing(
    community: Community, fields: dict[str, str], field: str
) -> None:
    answer = community.anonymous().request("POST", "/register", json=fields)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["metadata"]["field"] == field
    assert all(value not in answer.text for value in fields.values() if len(value) > 4 and value != field)


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(community: Community) -> None:
    name = f"known-{uuid.uuid4().hex[:8]}"
    community.anonymous().post("/register", {"username": name, "password": PASSWORD})
    wrong = community.anonymous().request("POST", "/v1/sessions", json={"username": name, "password": "not this one"})
    unknown = community.anonymous().request("POST", "/v1/sessions", json={"username": "nobody-x", "password": PASSWORD})
    assert wrong.status_code == unknown.status_code == 401 and wrong.json() == unknown.json()


def test_a_repeated_key_answers_again_and_another_input_under_it_is_refused(community: Community) -> None:
    creator, key = community.member("creator"), {"idempotency-key": uuid.uuid4().hex}
    work = {"kind": "text", "title": "t", "body": "b", "access": "free"}
    first = creator.post("/v1/contents", work, headers=key)
    assert creator.post("/v1/contents", work, headers=key)["content_id"] == first["content_id"]
    other = creator.request("POST", "/v1/contents", json={**work, "title": "u"}, headers=key)
    assert other.status_code == 400 and other.json()["details"][0]["reason"] == "IDEMPOTENCY_KEY_REUSED"
