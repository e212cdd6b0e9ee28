"""What other gateways stumbled over gets a clean answer here: what was asked for, or a refusal in our JSON."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from community import PASSWORD, Community, Session

INNER = ("traceback", "protobuf", "psycopg", "codec", "upstream", "envoy", "metadata size", "illegal header")
JSON = {"content-type": "application/json"}
TOO_SHORT = b'{"username":"ab","password":"password123"}'
"""An account that is refused for its name: whoever answers so has read it."""
NO_PARAMETERS = [
    *["page.size=1", "page%2Esize=1", "page_size[]=1", "page_size.x=1", "creator_id.x=1", "alt=json", "$fields=x"],
    *["page_size=1&page_size=2", "page_size=1&pageSize=1", "tag=%zz", "tag=%", "=1", "page_size"],
]
NO_AMOUNTS = [
    *[
        "1e400",
        "-1e400",
        "1e19",
        "0x10",
        "01",
        "1_0",
        "7.5",
        "true",
        '"true"',
        '"1e2"',
        '"0x10"',
        '" 7"',
        '"7.5"',
        "[]",
    ],
    *["9223372036854775807", "9223372036854775808", "-9223372036854775809", '"99999999999999999999"', "null", "NaN"],
]


@pytest.fixture(scope="module")
def anyone(community: Community) -> Session:
    return community.anonymous()


@pytest.fixture(scope="module")
def creator(community: Community) -> Session:
    return community.member("creator")


def clean(answer: httpx.Response) -> dict[str, Any]:
    """The body of an answer, once it is known to be ours."""
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json", answer.text
    assert [word for word in INNER if word in answer.text.lower()] == []
    told: dict[str, Any] = answer.json()
    assert answer.status_code == 200 or (told["message"] and isinstance(told["code"], int)), told
    return told


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """The body of a refusal with one of `statuses`, by default 400."""
    assert answer.status_code in (statuses or (400,)), (answer.status_code, answer.text)
    return clean(answer)


def field_of(told: dict[str, Any]) -> str:
    """The field that a refusal names; empty for none."""
    return next((one["metadata"]["field"] for one in told["details"] if "metadata" in one), "")


def pieces(body: bytes) -> Iterator[bytes]:
    """A body that is sent in chunks, without a content-length."""
    yield from (body[:7], body[7:])


@pytest.mark.parametrize("query", ["page_size=1", "pageSize=1", "page%5Fsize=1"])
def test_a_parameter_is_taken_however_it_is_spelt(anyone: Session, creator: Session, query: str) -> None:
    work = {"kind": "text", "title": "t", "body": "b", "access": "free"}
    tokens = [creator.post("/v1/contents", work)["consistency_token"] for _ in range(2)]
    anyone.get_after("/v1/contents", tokens)
    assert len(clean(anyone.request("GET", f"/v1/contents?{query}"))["contents"]) == 1


@pytest.mark.parametrize("query", NO_PARAMETERS)
def test_a_parameter_that_is_none_is_refused(anyone: Session, query: str) -> None:
    refused(anyone.request("GET", f"/v1/contents?{query}"))


@pytest.mark.parametrize("number", ["0x10", "1e2", "1.0", "%201", "", "true", "99999999999", "NaN", "1_0", "%D9%A1"])
def test_a_parameter_that_is_no_whole_number_is_refused(anyone: Session, number: str) -> None:
    refused(anyone.request("GET", f"/v1/contents?page_size={number}"))


@pytest.mark.parametrize("weight", ["NaN", "Infinity", "-Infinity", "1e400", "1e308", "true"])
def test_a_weight_that_is_no_finite_number_is_refused(creator: Session, weight: str) -> None:
    path = f"/v1/metrics/members/{creator.member_id}/retention"
    refused(creator.request("GET", f"{path}?w_history={weight}"))


@pytest.mark.parametrize("query", ["tag=a;b", "tag=a+b", "&&&", "page_size=%2B1", "tag=a&&page_size=1"])
def test_an_odd_query_is_answered(anyone: Session, query: str) -> None:
    clean(anyone.request("GET", f"/v1/contents?{query}"))


@pytest.mark.parametrize("query_bytes", [4_000, 10_000, 20_000, 62_000])
def test_a_long_query_is_answered_or_too_large(anyone: Session, query_bytes: int) -> None:
    for _ in range(20):  # what is between two limits may be refused by chance
        answer = anyone.request("GET", "/v1/contents?tag=" + "a" * query_bytes)
        assert answer.status_code in (200, 400, 431), answer.text
        clean(answer)


def test_a_query_does_not_overrule_the_path(anyone: Session) -> None:
    refused(anyone.request("GET", "/v1/contents/one?content_id=another"))


def test_credentials_in_a_query_are_refused(anyone: Session) -> None:
    name = f"q{uuid.uuid4().hex[:12]}"
    anyone.post("/register", {"username": name, "password": PASSWORD})
    refused(anyone.request("POST", f"/v1/sessions?username={name}&password={PASSWORD}", content=b"{}", headers=JSON))


@pytest.mark.parametrize("body", [b'{"page_size":1}', b"{}", b"\xff\x00", b"x" * 1000])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_body_where_none_belongs_is_passed_over_or_refused(anyone: Session, method: str, body: bytes) -> None:
    clean(anyone.request(method, "/v1/contents", content=body, headers=JSON))
    clean(anyone.request(method, "/v1/contents", content=pieces(body), headers=JSON))


def test_a_body_without_a_length_is_read(anyone: Session) -> None:
    told = refused(anyone.request("POST", "/register", content=pieces(TOO_SHORT), headers=JSON))
    assert field_of(told) == "username"


@pytest.mark.parametrize(
    "kind",
    [
        "text/json",
        "text/plain",
        "application/xml",
        "APPLICATION/JSON",
        "application/json; charset=utf-16",
        "application/json, application/json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/x-protobuf",
        "",
    ],
)
def test_a_body_of_another_kind_is_read_or_refused(anyone: Session, kind: str) -> None:
    refused(anyone.request("POST", "/register", content=TOO_SHORT, headers={"content-type": kind}), 400, 415)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TOO_SHORT, mtime=0)),
        ("gzip", TOO_SHORT),
        ("br", TOO_SHORT),
        ("x", TOO_SHORT),
        ("identity", b"{"),
    ],
)
def test_a_packed_body_is_refused(anyone: Session, encoding: str, body: bytes) -> None:
    headers = {**JSON, "content-encoding": encoding}
    refused(anyone.request("POST", "/register", content=body, headers=headers), 400, 415)


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["/register", "/publish"])
def test_no_body_at_all_is_refused(creator: Session, path: str, kind: str) -> None:
    refused(creator.request("POST", path, headers={"content-type": kind}))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/register", b'{"username":' * 1000 + b"1" + b"}" * 1000),
        ("/v1/orders", b'{"quote":' * 5000 + b"{}" + b"}" * 5000),
        ("/v1/orders", b'{"quote":{"list":' + b"[" * 50_000 + b"]" * 50_000 + b"}}"),
        ("/publish", b'{"tags":' + b"[" * 1_000_000),
    ],
)
def test_json_that_is_nested_deeply_is_refused(creator: Session, path: str, body: bytes) -> None:
    refused(creator.request("POST", path, content=body, headers=JSON))


def price(creator: Session, amount: str) -> httpx.Response:
    body = '{"product_id":"p-%s","title":"t","pricing":"fixed","price":{"currency":"CNY","amount_minor":%s}}'
    return creator.request("POST", "/v1/products", content=(body % (creator.member_id, amount)).encode(), headers=JSON)


@pytest.mark.parametrize("amount", ["7", '"7"', "7.0", "7e0", '"+7"'])
def test_a_whole_number_may_be_spelt_as_json_of_messages_has_it(creator: Session, amount: str) -> None:
    clean(priced := price(creator, amount))
    assert priced.status_code == 200
    product = creator.get_after(f"/v1/products/p-{creator.member_id}", list(creator.tokens.values()))
    assert product["price"]["amount_minor"] == "7"


@pytest.mark.parametrize("amount", NO_AMOUNTS)
def test_what_is_no_amount_is_refused(creator: Session, amount: str) -> None:
    refused(price(creator, amount))


@pytest.mark.parametrize("name", ["1", "true", "null", "1.5", '["a"]', '{"a":"b"}'])
def test_what_is_no_text_is_refused(anyone: Session, name: str) -> None:
    body = f'{{"username":{name},"password":"password123"}}'.encode()
    refused(anyone.request("POST", "/register", content=body, headers=JSON))


@pytest.mark.parametrize("name", ["x*y", "x+y", "x_y", "x.y"])
def test_an_odd_header_is_passed_over_or_refused(anyone: Session, name: str) -> None:
    clean(anyone.request("GET", "/v1/contents", headers={name: "1"}))


@pytest.mark.parametrize(
    "headers",
    [{"x-http-method-override": "DELETE"}, {"accept": "text/xml"}, {"range": "bytes=0-1"}, {"expect": "100-continue"}],
    ids=str,
)
def test_headers_that_ask_for_something_else_change_nothing(anyone: Session, headers: dict[str, str]) -> None:
    answer = anyone.request("GET", "/v1/contents?page_size=1", headers=headers)
    assert answer.status_code == 200 and "contents" in clean(answer)
