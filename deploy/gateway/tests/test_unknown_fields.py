"""JSON bodies hold nothing but what their message has: against a real Envoy."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from edge_stand_in import Running, running

from lyceum_gateway import tables

PRICE = {"product_id": "p1", "price": {"amount_minor": "12900", "currency": "CNY"}}
MALFORMED = {"code": 3, "message": "the request is malformed", "details": []}
MAX_READ_S = 5.0
"""Far above what 4 MiB take, which is some tenths of a second on a quiet machine."""
HOSTILE_NAME = "<script>alert(1)</script>"


async def post(gateway: Running, path: str, body: str | bytes) -> Any:
    role = "importer" if path.endswith("Import") else "creator"
    headers = {"content-type": "application/json", **gateway.bearer(role=role)}
    return await gateway.client.post(path, content=body, headers=headers)


def field_of(answer: Any) -> tuple[str, str]:
    """The field that a refusal names, in both details alike, and what it says."""
    assert answer.status_code == 400, answer.text
    told = answer.json()
    info, bad = told["details"]
    assert (info["reason"], info["domain"]) == ("INVALID_INPUT", "lyceum")
    [violation] = bad["field_violations"]
    assert violation == {"field": info["metadata"]["field"], "description": told["message"]}
    return violation["field"], told["message"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/products", {"price": {"amount_minors": "12900", "currency": "CNY"}}, "price.amount_minors"),
        ("/v1/products", {"price": {"amount_minor": 1}, "Price": {}}, "Price"),
        ("/v1/contents/c1/interactions", {"interaction": {"kind": "like"}}, "interaction"),
        ("/v1/contents/c1/interactions", {"content_id": "c2"}, "content_id"),
        ("/v1/contents:batchImport", {"items": [{}, {"external_id": "a", "x_y": 1}]}, "items[1].x_y"),
        ("/v1/contents", {"lessons": [{"no": None}]}, "lessons[0].no"),
        ("/register", {"username": "a", "passwort": "b"}, "passwort"),
    ],
)
async def test_an_unknown_field_is_named(gateway: Running, path: str, body: Any, field: str) -> None:
    answer = await post(gateway, path, json.dumps(body))
    assert field_of(answer) == (field, "is not a field of this request")
    assert not gateway.services.requests


async def test_an_unknown_field_of_a_form_is_named(gateway: Running) -> None:
    answer = await gateway.client.post("/register", data={"username": "a", "passwort": "b"})
    assert field_of(answer)[0] == "passwort"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({HOSTILE_NAME: 1}, "request"),
        ({"price": {HOSTILE_NAME: 1}}, "price"),
        ({"x" * 101: 1}, "request"),
        ({"a.b": 1}, "request"),
        ({"价": 1}, "request"),
        ({"": 1}, "request"),
    ],
)
async def test_a_name_that_could_do_harm_is_not_repeated(gateway: Running, body: Any, field: str) -> None:
    answer = await post(gateway, "/v1/products", json.dumps(body, ensure_ascii=False))
    assert field_of(answer) == (field, "holds an unknown field")
    assert "alert" not in answer.text and "xxx" not in answer.text


async def test_both_names_of_a_field_are_taken(gateway: Running) -> None:
    camel = {"productId": "p1", "price": {"amountMinor": "12900", "currency": "CNY"}}
    for body in (PRICE, camel):
        assert (await post(gateway, "/v1/products", json.dumps(body))).status_code == 200
    first, second = gateway.services.requests
    assert first == second and first.price.amount_minor == 12900


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"product_id":"a","product_id":"b"}', "product_id"),
        ('{"product_id":"a","productId":"b"}', "productId"),
        ('{"product_id":"a","product\\u005fid":"b"}', "product_id"),
        ('{"price":{"currency":"CNY","currency":"USD"}}', "price.currency"),
    ],
)
async def test_a_field_that_is_there_twice_is_named(gateway: Running, body: str, field: str) -> None:
    assert field_of(await post(gateway, "/v1/products", body)) == (field, "is there twice")
    assert not gateway.services.requests


async def test_null_is_no_value_and_a_time_is_a_text(gateway: Running) -> None:
    priced = {**PRICE, "price": None}
    assert (await post(gateway, "/v1/products", json.dumps(priced))).status_code == 200
    imported = {"items": [{"external_id": "c1", "published_at": "2024-05-01T10:00:00Z"}]}
    assert (await post(gateway, "/v1/contents:batchImport", json.dumps(imported))).status_code == 200
    product, batch = gateway.services.requests
    assert not product.HasField("price") and batch.items[0].published_at.seconds == 1714557600


async def test_a_providers_body_is_not_looked_at(gateway: Running) -> None:
    raw = b'{"any":1,"any":2} \xff'
    answer = await gateway.client.post("/v1/callbacks/simulator", content=raw)
    assert answer.status_code == 200 and gateway.services.requests[0].payload.data == raw


async def test_what_the_path_says_is_not_said_again_in_the_body(gateway: Running) -> None:
    answer = await post(gateway, "/v1/orders/o1/payments", '{"order_id":"o2"}')
    assert answer.status_code == 400 and not gateway.services.requests


NO_JSON = """{ {'a':1} {"price":} {"price":{},} [1,] nul 01 1. - "a {"price":1}x {"price"1} {price:1} {"price":"\t"}"""


@pytest.mark.parametrize("body", NO_JSON.split(" "))
async def test_what_is_no_json_is_refused(gateway: Running, body: str) -> None:
    answer = await post(gateway, "/v1/products", body)
    assert answer.status_code == 400 and answer.json() == MALFORMED
    assert not gateway.services.requests


@pytest.mark.parametrize("levels", [32, 33, 100_000])
async def test_depth_is_bounded(gateway: Running, levels: int) -> None:
    body = '{"title":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"
    answer = await post(gateway, "/publish", body)
    assert answer.status_code == 400
    assert ("is nested too deeply" in answer.text) == (levels > 32)


NO_TEXT = [rb"\ud800", rb"\udc00", rb"\ud800\u0041", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe4"]


@pytest.mark.parametrize("text", NO_TEXT)
async def test_texts_are_unicode(gateway: Running, text: bytes) -> None:
    answer = await post(gateway, "/v1/products", b'{"price":{"currency":"' + text + b'"}}')
    assert field_of(answer) == ("price.currency", "must be Unicode text")


async def test_every_character_passes(gateway: Running) -> None:
    text = 'a\x7f\u00e9\u4ef7\U0001f600"\\/\n'
    for body in (json.dumps({"title": text}), json.dumps({"title": text}, ensure_ascii=False)):
        assert (await post(gateway, "/publish", body)).status_code == 200
    assert [one.title for one in gateway.services.requests] == [text, text]


@pytest.mark.parametrize("table", ["routes", "forms"])
async def test_a_filter_that_fails_lets_nothing_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    broken = {"routes": lambda: "local ROUTES = {}\nstring.gmatch = nil\n", "forms": lambda: "local FORMS = nil\n"}
    monkeypatch.setattr(tables, table, broken[table])
    async with running(tmp_path) as failing:
        answer = await post(failing, "/register", '{"username":"a"}')
        assert (answer.status_code, answer.json()["message"]) == (500, "internal error")
        assert not failing.services.requests


@pytest.mark.parametrize("kind", ["one text", "many texts", "chinese", "escapes", "objects", "keys", "brackets"])
async def test_large_bodies_are_read_at_once(gateway: Running, kind: str) -> None:
    size = 4_000_000
    large = {
        "one text": lambda: '{"title":"' + "a" * size + '"}',
        "many texts": lambda: '{"tags":[' + ",".join(['"a"'] * (size // 4)) + "]}",
        "chinese": lambda: '{"title":"' + "价a" * (size // 4) + '"}',
        "escapes": lambda: '{"title":"' + "\\u4ef7" * (size // 6) + '"}',
        "objects": lambda: '{"lessons":[' + ",".join(["{}"] * (size // 3)) + "]}",
        "keys": lambda: "{" + ",".join(f'"k{n}":1' for n in range(size // 12)) + "}",
        "brackets": lambda: '{"title":' + "[" * (size // 2) + "]" * (size // 2) + "}",
    }[kind]()
    started = time.perf_counter()
    answer = await post(gateway, "/v1/contents", large)
    assert time.perf_counter() - started < MAX_READ_S
    assert answer.status_code == (400 if kind in ("keys", "brackets") else 200)


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("creator=a", "creator", "is not a parameter of this request"),
        ("creator_id=a&creatorId=b", "creatorId", "is there twice"),
        ("page_size=1&page_size=2", "page_size", "is there twice"),
        ("creator_id=%ff", "creator_id", "must be Unicode text"),
        ("creator_id.x=a", "creator_id.x", "is not a parameter of this request"),
        ("%3Cscript%3E=a", "query", "holds an unknown parameter"),
        (f"{'x' * 101}=a", "query", "holds an unknown parameter"),
        ("creator_id", "query", "is not one of names and values"),
        ("creator_id=%zz", "query", "is not one of names and values"),
    ],
)
async def test_what_a_query_may_not_say_is_named(gateway: Running, query: str, field: str, said: str) -> None:
    assert field_of(await gateway.client.get(f"/v1/contents?{query}")) == (field, said)
    assert not gateway.services.requests


async def test_what_the_path_says_is_no_parameter(gateway: Running) -> None:
    answer = await gateway.client.get("/v1/contents/c1?content_id=c2")
    assert field_of(answer) == ("content_id", "is not a parameter of this request")


async def test_what_has_a_body_takes_no_parameters(gateway: Running) -> None:
    answer = await gateway.client.post("/v1/products?title=a", json=PRICE, headers=gateway.bearer())
    assert field_of(answer) == ("title", "is not a parameter of this request")


async def test_both_names_of_a_parameter_are_taken(gateway: Running) -> None:
    for query in ("creator_id=a&page_size=2", "creatorId=a&pageSize=2&", "&page_size=2&creator_id=a"):
        assert (await gateway.client.get(f"/v1/contents?{query}")).status_code == 200
    assert [(one.creator_id, one.page_size) for one in gateway.services.requests] == [("a", 2)] * 3
