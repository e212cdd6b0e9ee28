"""The rendered configuration is accepted by the real Envoy, and behaves at its edges against a real server."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from edge_stand_in import AUDIENCE, ENVOY, ISSUER, Running

from lyceum_gateway import Gateway, render
from lyceum_gateway.services import SERVICES

SECRET = "hunter2-hunter2"


def test_envoy_accepts_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "envoy.yaml"
    targets = {name: [("svc.example", 1), ("other.example", 2)] for name in SERVICES}
    config.write_text(render(Gateway(targets, 8080, 9901, ISSUER, AUDIENCE)))
    done = subprocess.run([str(ENVOY), "--mode", "validate", "-c", str(config)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def test_json_and_form_reach_the_same_method(gateway: Running) -> None:
    fields = {"username": "用户 1", "password": 'p+&="\\\t%'}
    as_json = await gateway.client.post("/register", json=fields)
    as_form = await gateway.client.post("/register", data=fields)
    assert as_json.json() == as_form.json() == {"message": "User registered successfully."}
    assert as_json.headers["x-lyceum-token"] == "token-1"
    assert gateway.services.requests[0] == gateway.services.requests[1]
    assert gateway.services.requests[1].password == fields["password"]


@pytest.mark.parametrize(
    "body",
    [
        f"username=a&password={SECRET}&password=b",
        f"username=a&password={SECRET}%zz",
        f"username=a&password={SECRET}%",
        f"=a&password={SECRET}",
    ],
    ids=["repeated", "bad-escape", "cut-escape", "no-name"],
)
async def test_a_malformed_form_is_refused_without_repeating_it(gateway: Running, body: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await gateway.client.post("/register", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json() == {"code": 3, "message": "the request is malformed", "details": []}
    assert not gateway.services.requests


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain"])
async def test_a_body_that_is_not_json_is_refused_without_repeating_it(gateway: Running, kind: str) -> None:
    body = f"username=a&password={SECRET}"
    answer = await gateway.client.post("/v1/sessions", content=body, headers={"content-type": kind})
    assert answer.status_code == 400 and SECRET not in answer.text
    assert answer.json()["message"] == "the request is malformed"


async def test_a_form_in_another_charset_is_refused(gateway: Running) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded; charset=gbk"}
    answer = await gateway.client.post("/register", content="username=a&password=b", headers=headers)
    assert answer.status_code == 415 and answer.json()["message"] == "this content type is not understood"
    assert not gateway.services.requests


@pytest.mark.parametrize("body", [f'{{"password":"{SECRET}"', f'{{"password":["{SECRET}"]}}', f'["{SECRET}"]'])
async def test_malformed_json_is_refused_without_repeating_it(gateway: Running, body: str) -> None:
    answer = await gateway.client.post("/register", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and SECRET not in answer.text and not gateway.services.requests


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield (SECRET * 100).encode()


async def test_long_texts_pass_and_endless_ones_do_not(gateway: Running) -> None:
    text = "知识" * 100_000
    as_json = await gateway.client.post("/publish", json={"title": "a", "content": text}, headers=gateway.bearer())
    as_form = await gateway.client.post("/publish", data={"title": "a", "content": text}, headers=gateway.bearer())
    assert as_json.status_code == as_form.status_code == 200
    assert [request.content for request in gateway.services.requests] == [text, text]
    endless = await gateway.client.post("/publish", content=b" " * 5_000_000, headers=gateway.bearer())
    assert endless.status_code == 413


async def test_oversize_bodies_are_refused_by_route(gateway: Running) -> None:
    large = await gateway.client.post("/register", json={"username": "a", "password": "x" * 20_000})
    assert large.status_code == 413 and large.json()["message"] == "the request body is too large"
    chunks = await gateway.client.post("/register", content=_chunks(), headers={"content-type": "application/json"})
    assert chunks.status_code == 413 and SECRET not in chunks.text
    items = [{"external_id": f"{n:0>200}", "username": "u" * 200} for n in range(2000)]
    batch = await gateway.client.post(
        "/v1/members:batchImport", json={"dataset": "d", "items": items}, headers=gateway.bearer(role="importer")
    )
    assert batch.status_code == 200 and len(gateway.services.requests[0].items) == 2000


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"iss": "https://other.test"}, 401), ({"aud": "other"}, 401), ({"exp": 1}, 401)],
    ids=["issuer", "audience", "expired"],
)
async def test_a_bad_token_is_refused(gateway: Running, changes: dict[str, Any], status: int) -> None:
    answer = await gateway.client.post("/publish", json={}, headers=gateway.bearer(**changes))
    assert answer.status_code == status and not gateway.services.requests


async def test_tokens_are_demanded_everywhere_but_on_public_paths(gateway: Running) -> None:
    assert (await gateway.client.post("/publish", json={})).status_code == 401
    assert (await gateway.client.post("/publish", json={}, headers=gateway.bearer())).status_code == 200
    assert (await gateway.client.post("/v1/contents/c1/interactions", json={"kind": "like"})).status_code == 401
    assert (await gateway.client.get("/v1/contents/c1")).status_code == 404
    bad = {"authorization": "Bearer nonsense"}
    assert (await gateway.client.get("/v1/contents/c1", headers=bad)).status_code == 401


async def test_internal_and_unknown_paths_lead_nowhere(gateway: Running) -> None:
    resolve = "/lyceum.consistency.v1.ConsistencyService/Resolve"
    as_grpc = {"content-type": "application/grpc", "te": "trailers", **gateway.bearer()}
    native = await gateway.client.post(resolve, content=b"\0\0\0\0\0", headers=as_grpc)
    assert native.headers["grpc-status"] == "12"
    for path in ("/nowhere", resolve, "/register/x"):
        answer = await gateway.client.post(path, json={}, headers=gateway.bearer())
        assert answer.status_code == 404 and answer.json()["code"] == 5, path


async def test_errors_of_services_arrive_as_status_json_with_their_details(gateway: Running) -> None:
    answer = await gateway.client.get("/v1/contents/c1", headers=gateway.bearer())
    assert answer.json()["code"] == 5 and answer.json()["message"] == "no such content"
    assert answer.json()["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "NOT_FOUND",
            "domain": "lyceum",
            "metadata": {"content_id": "c1"},
        }
    ]


async def test_a_service_that_is_down_is_said_to_be_unavailable(gateway: Running) -> None:
    await gateway.services_gone()
    answer = await gateway.client.post("/register", json={"username": "a", "password": SECRET})
    assert answer.status_code == 503 and answer.json()["code"] == 14
    assert (await gateway.client.get("/ready")).status_code == 200


async def test_only_services_speak_in_internal_headers(gateway: Running) -> None:
    forged = {
        "x-lyceum-member": "somebody",
        "x-lyceum-stale": "false",
        "x-lyceum-after": "token-0",
        "x-lyceum-client": "203.0.113.7",
        "x-lyceum-route": "GET /x",
    }
    await gateway.client.post("/register", json={"username": "a"}, headers=forged)
    arrived = {name: value for name, value in gateway.services.metadata.items() if name.startswith("x-lyceum-")}
    route = {"x-lyceum-route": "POST /register"}
    assert arrived == {"x-lyceum-after": "token-0", "x-lyceum-client": "127.0.0.1", **route}


async def test_the_openapi_document_is_served(gateway: Running) -> None:
    answer = await gateway.client.get("/openapi.yaml")
    assert answer.status_code == 200 and answer.text.startswith("# Generated") and "/v1/recommendations" in answer.text


async def test_browsers_of_allowed_origins_only(gateway: Running) -> None:
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    allowed = await gateway.client.options("/publish", headers={"origin": "https://web.test", **ask})
    foreign = await gateway.client.options("/publish", headers={"origin": "https://evil.test", **ask})
    assert allowed.headers["access-control-allow-origin"] == "https://web.test"
    assert "access-control-allow-origin" not in foreign.headers


async def test_the_page_of_the_api_is_served_and_may_run_nothing(gateway: Running) -> None:
    answer = await gateway.client.get("/docs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "/v1/orders" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src")
    assert len(answer.headers.get_list("content-security-policy")) == 1


@pytest.mark.parametrize("path", ["/openapi.yaml", "/v1/contents", "/v1/nothing", "/docs"])
async def test_no_answer_can_be_taken_for_a_page_or_shown_in_one(gateway: Running, path: str) -> None:
    answer = await gateway.client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["strict-transport-security"] == "max-age=31536000", "this issuer is at https"


def test_where_clients_come_over_http_they_are_not_sent_to_https() -> None:
    targets = {name: [("127.0.0.1", 1)] for name in SERVICES}
    assert "strict-transport-security" not in render(Gateway(targets, 8080, 9901, "http://127.0.0.1:8080", AUDIENCE))


async def test_each_answer_says_its_id_and_keeps_the_clients_beside_it(gateway: Running) -> None:
    answer = await gateway.client.post("/register", json={"username": "a", "password": SECRET})
    told = await gateway.client.post(
        "/register",
        json={"username": "a", "password": SECRET},
        headers={"x-request-id": "mine", "x-client-request-id": "x"},
    )
    ids = [one.headers["x-request-id"] for one in (answer, told)]
    assert len({*ids, "mine"}) == 3
    assert gateway.services.metadata["x-request-id"] == ids[1], "what services log and record"
    assert gateway.services.metadata["x-client-request-id"] == "mine"
