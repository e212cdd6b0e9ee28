"""No bytes that a client may send get a 5xx, an inner word or a traceback: raw requests against the running stack."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from community import Community, Session

INNER = ("protobuf", "traceback", "codec", "upstream", "envoy", "utf8", "exception", "parse error")
BAD_TEXTS = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe4\xbb", b"\x00"]
REFUSED = (400, 401, 403, 404, 405, 413, 415)
TIMEOUT_S = 20
METHODS = ["/lyceum.identity.v1.IdentityService/LogIn", "/lyceum.catalog.v1.CatalogService/GetContent"]


def send(community: Community, request: bytes) -> tuple[int, bytes]:
    """The status and body of the answer to exactly these bytes."""
    at = urlsplit(community.url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=TIMEOUT_S)
    connection.connect()
    try:
        connection.sock.sendall(request)
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        return answer.status, answer.read()
    finally:
        connection.close()


def a_request(method: bytes, path: bytes, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"host: gateway", b"connection: close", *headers]
    lines += [b"content-length: %d" % len(body)] if body else []
    return b"\r\n".join([*lines, b"", body])


def check(status: int, body: bytes, allowed: tuple[int, ...] = REFUSED) -> None:
    assert status in allowed, (status, body)
    told = json.loads(body)
    assert told["message"] and isinstance(told["code"], int), body
    assert [word for word in INNER if word in body.decode().lower()] == []


def escaped(raw: bytes) -> bytes:
    return "".join(f"%{one:02x}" for one in raw).encode()


@pytest.fixture(scope="module")
def creator(community: Community) -> Session:
    return community.member("creator")


def bearer(session: Session) -> bytes:
    return b"authorization: Bearer " + session.access_token.encode()


@pytest.mark.parametrize("bad", BAD_TEXTS)
@pytest.mark.parametrize("path", ["/v1/contents/{}", "/v1/products/{}", "/v1/contents/{}/comments", "/v1/{}", "/{}"])
def test_in_a_path(community: Community, creator: Session, path: str, bad: bytes) -> None:
    head, tail = path.encode().split(b"{}")
    check(*send(community, a_request(b"GET", head + escaped(bad) + tail, b"", bearer(creator))))


@pytest.mark.parametrize("bad", BAD_TEXTS)
@pytest.mark.parametrize("query", [b"creator_id=", b"page_token=", b"page_size=", b""])
def test_in_a_query(community: Community, query: bytes, bad: bytes) -> None:
    check(*send(community, a_request(b"GET", b"/v1/contents?" + query + escaped(bad))))


@pytest.mark.parametrize("raw", [b"\xff", b"\xc3\xa9", b"\xe4\xbb\xb7", b"\x80"])
def test_raw_in_a_path_and_a_query(community: Community, raw: bytes) -> None:
    for path in (b"/v1/contents/" + raw, b"/v1/contents?creator_id=" + raw):
        status, body = send(community, a_request(b"GET", path))
        assert status in (*REFUSED, 200), (status, body)
        assert [word for word in INNER if word in body.decode().lower()] == []


HEADERS = b"x-lyceum-after idempotency-key authorization traceparent grpc-timeout content-type origin".split()
READ_BY_GRPC = [
    *b"grpc-timeout grpc-encoding grpc-accept-encoding grpc-status grpc-previous-rpc-attempts grpc-message".split(),
    *b"grpc-retry-pushback-ms grpc-trace-bin grpc-tags-bin x-any-bin endpoint-load-metrics-bin lb-token te".split(),
]


@pytest.mark.parametrize("name", READ_BY_GRPC)
@pytest.mark.parametrize("raw", [b"\xff", b"nonsense!"])
def test_nobodys_headers_spoil_the_connection_for_others(community: Community, name: bytes, raw: bytes) -> None:
    for _ in range(3):
        status, answer = send(community, a_request(b"GET", b"/v1/contents", b"", name + b": " + raw))
        assert status < 500, (status, answer)
    with grpc.insecure_channel(urlsplit(community.url).netloc) as channel:
        call: Callable[..., Any] = channel.unary_unary("/lyceum.catalog.v1.CatalogService/ListContents")
        for _ in range(3):
            assert isinstance(call(b"", timeout=TIMEOUT_S), bytes)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("raw", [b"\xff", b"Bearer \xff\xfe", "价".encode(), b"a" * 5000, b"%ff", b"", b"\x7f"])
def test_in_a_header(community: Community, creator: Session, name: bytes, raw: bytes) -> None:
    given = [] if name == b"authorization" else [bearer(creator)]
    for method, path, body in ((b"GET", b"/v1/contents", b""), (b"POST", b"/v1/contents", b'{"kind":"text"}')):
        status, answer = send(community, a_request(method, path, body, name + b": " + raw, *given))
        assert status < 500, (status, answer)
        if status != 200:
            check(status, answer)


def json_bodies() -> Iterator[bytes]:
    for bad in (*BAD_TEXTS[:5], rb"\ud800", rb"\udfff", rb"\ud800\u0041", rb"\u0000", b"\x01"):
        yield b'{"username":"' + bad + b'","password":"password123"}'
        yield b'{"' + bad + b'":"a"}'
    yield from (b"\xff\xfe{}", b"\x00", b"[]", b"1", b'"a"', b"null", b"{" * 10_000, b'{"username":1e999}')
    yield from (b'{"username":{"a":1}}', b'{"username":["a"]}', b'{"username":123}', b'{"username":true}')


@pytest.mark.parametrize("body", list(json_bodies()))
def test_in_json(community: Community, body: bytes) -> None:
    for path in (b"/register", b"/v1/sessions"):
        check(*send(community, a_request(b"POST", path, body, b"content-type: application/json")))


@pytest.mark.parametrize(
    "body", [b"username=%ff&password=password123", b"username=a%00b&password=p", b"\xff=\xfe", b"%ff=a", b"=", b"&"]
)
def test_in_a_form(community: Community, body: bytes) -> None:
    check(*send(community, a_request(b"POST", b"/register", body, b"content-type: application/x-www-form-urlencoded")))


@pytest.mark.parametrize(
    "amount", [b"1e400", b"99999999999999999999", b'"x"', b"1.5", b"-0", b"NaN", b"[1]", b"{}", b'""']
)
def test_in_a_number(community: Community, creator: Session, amount: bytes) -> None:
    body = b'{"product_id":"p","price":{"currency":"CNY","amount_minor":' + amount + b"}}"
    check(*send(community, a_request(b"POST", b"/v1/products", body, bearer(creator))))


@pytest.mark.parametrize(
    "at", [b'"0000-00-00T00:00:00Z"', b'"9999-12-31T23:59:60Z"', b'"x"', b"1", b'"10000-01-01T00:00:00Z"', b'""']
)
def test_in_a_time(community: Community, at: bytes) -> None:
    importer = community.importer()
    body = b'{"dataset":"bytes","items":[{"external_id":"1","published_at":' + at + b"}]}"
    status, answer = send(community, a_request(b"POST", b"/v1/contents:batchImport", body, bearer(importer)))
    assert status in (200, 400), (status, answer)
    assert [word for word in INNER if word in answer.decode().lower()] == []


FRAMES = [
    b"",
    b"\x00",
    b"\x00\x00\x00\x00",
    b"\x01\x00\x00\x00\x00",
    b"\x00\x00\x00\x00\x05ab",
    b"\x07ab",
    b"\x00\xff\xff\xff\xff",
]
KINDS = [b"application/grpc", b"application/grpc+proto", b"application/grpc-web+proto", b"application/grpc-web-text"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frame", FRAMES)
def test_in_a_grpc_frame(community: Community, kind: bytes, frame: bytes) -> None:
    for method in METHODS:
        request = a_request(b"POST", method.encode(), frame, b"content-type: " + kind, b"te: trailers")
        status, answer = send(community, request)
        assert status < 500, (status, answer)
        assert [word for word in INNER if word in answer.decode(errors="replace").lower()] == []


RAW_MESSAGES = [
    b"\xff",
    b"\x0a\x05ab",
    b"\x0a\x01\xff",
    b"\x0a\xff\xff\xff\xff\x0f",
    b"\x00",
    b"\x0b" * 200,
    b"\x08\x96\x01",
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("raw", RAW_MESSAGES)
def test_in_a_grpc_message(community: Community, method: str, raw: bytes) -> None:
    with grpc.insecure_channel(urlsplit(community.url).netloc) as channel:
        call: Callable[..., Any] = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.RpcError) as refusal:
            call(raw, timeout=TIMEOUT_S)
    assert refusal.value.code() in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNAUTHENTICATED,
    ), refusal.value
    details = (refusal.value.details() or "").lower()
    assert [word for word in INNER if word in details] == []
