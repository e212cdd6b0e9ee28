"""Methods, HEAD, caches, sizes and tokens as HTTP has them: against a real Envoy."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from edge_stand_in import Running

from lyceum.catalog.v1 import catalog_pb2, catalog_pb2_grpc
from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/register", "POST"),
        ("DELETE", "/v1/contents", "GET, HEAD, POST"),
        ("PUT", "/v1/contents/c1", "GET, HEAD"),
        ("GET", "/v1/sessions:refresh", "POST"),
        ("HEAD", "/v1/sessions", "POST"),
        ("POST", "/openapi.yaml", "GET, HEAD"),
        ("PATCH", "/v1/orders/o1/payments", "POST"),
    ],
)
async def test_a_wrong_method_is_told_which_are_right(gateway: Running, method: str, path: str, allowed: str) -> None:
    answer = await gateway.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert answer.json() == {"code": 12, "message": "this method is not served here", "details": []}


@pytest.mark.parametrize("path", ["/v1/contents", "/openapi.yaml", "/.well-known/jwks.json"])
async def test_head_is_get_without_its_body(gateway: Running, path: str) -> None:
    got, asked = await gateway.client.get(path), await gateway.client.head(path)
    assert asked.status_code == got.status_code == 200
    assert got.content and not asked.content
    for name in ("content-type", "content-length"):
        assert asked.headers[name] == got.headers[name]
    again = await gateway.client.get(path)  # the connection is as it should be
    assert again.content == got.content


async def test_head_of_what_is_not_there_is_not_found(gateway: Running) -> None:
    assert (await gateway.client.head("/v1/contents/c1")).status_code == 404
    assert (await gateway.client.head("/v1/members/me")).status_code == 401


@pytest.mark.parametrize("path", ["/v1/contents/a:b", "/v1/contents/a:b:c"])
async def test_an_id_may_hold_a_colon(gateway: Running, path: str) -> None:
    answer = await gateway.client.get(path)
    assert answer.json()["details"][0]["metadata"] == {"content_id": path.rpartition("/")[2]}


@pytest.mark.parametrize("member_id", ["m1", "a:b", "a:claim", "*", "{member_id}"])
async def test_an_id_before_a_verb_is_what_stands_before_the_last_colon(gateway: Running, member_id: str) -> None:
    path = f"/v1/members/{member_id}:grantRole"
    answer = await gateway.client.post(path, json={"role": "importer"}, headers=gateway.bearer(role="admin"))
    assert (answer.status_code, answer.json()["member_id"]) == (200, member_id)
    [request] = gateway.services.requests
    assert (request.member_id, request.role) == (member_id, "importer")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/members/:grantRole",
        "/v1/members/m1:claim",
        "/v1/members/m1:grantrole",
        "/v1/members/m1",
        "/v1/members/m1:grantRole/x",
        "/v1/members/m1:grantRole:",
        "/v1/members:grantRole",
        "/v1/contents/c1:grantRole",
    ],
)
async def test_a_verb_that_no_such_path_has_means_nothing(gateway: Running, path: str) -> None:
    answer = await gateway.client.post(path, json={"role": "importer"}, headers=gateway.bearer(role="admin"))
    assert answer.status_code == 404 and not gateway.services.requests


async def test_an_id_with_a_slash_is_refused(gateway: Running) -> None:
    answer = await gateway.client.get("/v1/contents/a%2Fb")
    assert answer.status_code == 400 and answer.json()["message"] == "the request is malformed"


async def test_a_plus_in_a_query_is_a_space(gateway: Running) -> None:
    for query in ("creator_id=a+b", "creator_id=a%20b", "creator_id=a%2Bb"):
        assert (await gateway.client.get(f"/v1/contents?{query}")).status_code == 200
    assert [one.creator_id for one in gateway.services.requests] == ["a b", "a b", "a+b"]


async def test_an_unknown_query_parameter_is_refused(gateway: Running) -> None:
    assert (await gateway.client.get("/v1/contents?creator=a")).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "token", "kept"),
    [
        ("POST", "/v1/sessions", False, False),
        ("POST", "/v1/sessions:refresh", False, False),
        ("POST", "/publish", True, False),
        ("POST", "/publish", False, False),
        ("GET", "/v1/members/me", True, False),
        ("GET", "/v1/contents", True, False),
        ("GET", "/v1/contents", False, True),
        ("GET", "/.well-known/jwks.json", False, True),
    ],
)
async def test_what_is_for_one_alone_is_kept_by_no_cache(
    gateway: Running, method: str, path: str, token: bool, kept: bool
) -> None:
    headers = gateway.bearer() if token else {}
    answer = await gateway.client.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
    assert ("no-store" not in answer.headers.get("cache-control", "")) == kept


@pytest.mark.parametrize("many", [{"x-long": "a" * 70_000}, {f"x-{n}": "a" for n in range(200)}], ids=["long", "many"])
async def test_headers_that_are_too_large_are_refused(gateway: Running, many: dict[str, str]) -> None:
    answer = await gateway.client.get("/v1/contents", headers=many)
    assert answer.status_code == 431
    assert answer.json() == {"code": 3, "message": "the request headers are too large", "details": []}


@pytest.mark.parametrize("changes", [{"aud": "other"}, {"iss": "https://other.test"}, {"exp": 1}])
async def test_a_token_that_does_not_count_is_said_to_be_none(gateway: Running, changes: dict[str, Any]) -> None:
    for path in ("/v1/members/me", "/v1/contents"):
        answer = await gateway.client.get(path, headers=gateway.bearer(**changes))
        assert (answer.status_code, answer.json()["code"]) == (401, 16)


async def test_grpc_has_the_same_open_methods(gateway: Running) -> None:
    async with grpc.aio.insecure_channel(gateway.target) as channel:
        identity, catalog = identity_pb2_grpc.IdentityServiceStub(channel), catalog_pb2_grpc.CatalogServiceStub(channel)
        assert (await identity.LogIn(identity_pb2.LogInRequest(), timeout=10)).member_id == "m1"
        assert (await catalog.ListContents(catalog_pb2.ListContentsRequest(), timeout=10)).next_page_token == "more"
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await catalog.Publish(catalog_pb2.PublishRequest(), timeout=10)
        assert refusal.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert refusal.value.details() == "a valid access token is needed"


@pytest.mark.parametrize("method", ["ListContents", "Publish"])
@pytest.mark.parametrize("token", ["Bearer garbage", "other audience"])
async def test_grpc_refuses_a_bad_token(gateway: Running, method: str, token: str) -> None:
    told = gateway.bearer(aud="other")["authorization"] if token == "other audience" else token
    async with grpc.aio.insecure_channel(gateway.target) as channel:
        call: Callable[..., Any] = channel.unary_unary(f"/lyceum.catalog.v1.CatalogService/{method}")
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await call(b"", metadata=(("authorization", told),), timeout=10)
    assert refusal.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert not gateway.services.requests


@pytest.mark.parametrize("changes", [{}, {"exp": 1}, {"aud": "other"}])
async def test_what_needs_no_token_gets_none(gateway: Running, changes: dict[str, Any]) -> None:
    headers = gateway.bearer(**changes)
    answer = await gateway.client.post("/register", json={"username": "a"}, headers=headers)
    assert answer.status_code == 200 and "authorization" not in gateway.services.metadata


@pytest.mark.parametrize(
    "path", ["/v1/products/", "/v1/products//", "//v1/products", "/v1/sessions/", "/v1/sessions/:refresh"]
)
async def test_a_path_with_more_slashes_is_another(gateway: Running, path: str) -> None:
    url = httpx.URL(str(gateway.client.base_url)).copy_with(raw_path=path.encode())
    answer = await gateway.client.post(url, json={"unknown": 1}, headers=gateway.bearer())
    assert answer.status_code == 404 and not gateway.services.requests


@pytest.mark.parametrize(
    "kind", ["application/grpcfoo", "application/grpc", "APPLICATION/GRPC", "application/grpc-web"]
)
async def test_no_content_type_leads_past_the_fields(gateway: Running, kind: str) -> None:
    headers = {"content-type": kind, **gateway.bearer()}
    answer = await gateway.client.post("/v1/products", content=b'{"unknown":1}', headers=headers)
    assert answer.status_code == 400 or answer.headers["grpc-status"] == "3"
    assert not gateway.services.requests


FRAME = bytes(5)


@pytest.mark.parametrize("kind", ["grpc-web", "grpc-web+proto", "grpc-web-text", "grpc-web-text+proto"])
async def test_browsers_reach_grpc(gateway: Running, kind: str) -> None:
    body = base64.b64encode(FRAME) if "text" in kind else FRAME
    headers = {"content-type": f"application/{kind}", "x-grpc-web": "1", "accept": f"application/{kind}"}
    answer = await gateway.client.post("/lyceum.identity.v1.IdentityService/LogIn", content=body, headers=headers)
    told = base64.b64decode(answer.content[:12]) if "text" in kind else answer.content
    assert answer.status_code == 200 and told[7:9] == b"m1"


FRAMES = [b"", b"\0", bytes(4), b"\2" + bytes(4), b"\0\0\0\0\5ab", FRAME + b"a", FRAME * 2, b"\0\xff\xff\xff\xff"]


@pytest.mark.parametrize("frame", FRAMES)
async def test_grpc_of_no_whole_message_is_refused(gateway: Running, frame: bytes) -> None:
    headers = {"content-type": "application/grpc", "te": "trailers"}
    answer = await gateway.client.post("/lyceum.identity.v1.IdentityService/LogIn", content=frame, headers=headers)
    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "3")
    assert not gateway.services.requests


async def test_json_does_not_reach_the_paths_of_grpc(gateway: Running) -> None:
    path = "/lyceum.identity.v1.IdentityService/LogIn"
    answer: httpx.Response = await gateway.client.post(path, json={"username": "a"})
    assert answer.status_code == 404 and not gateway.services.requests
