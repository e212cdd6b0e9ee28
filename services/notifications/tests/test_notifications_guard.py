"""Requests to what must not be asked: names that lead inside, names that change their answer, bad receivers."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from webhook_house import Receiver
from yarl import URL

from notifications.delivery.domain import Answer
from notifications.delivery.posting import MAX_ANSWER_BYTES, SAID_BYTES, Poster
from notifications.guard import MAX_ADDRESSES, Guard, NoAddress, NotPublic, system_addresses

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PUBLIC = "https://hooks.example.org/"
REFUSED = "the name of the host leads to an address that is not public"


class Names:
    """A resolver that gives one answer after the other, and the last one again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
async def local() -> AsyncIterator[Poster]:
    poster = Poster(Guard(allow_local=True), allow_local=True, request_s=1.0)
    yield poster
    await poster.close()


async def posted(url: str, names: Names, *, allow_local: bool = False, tls: ssl.SSLContext | None = None) -> Answer:
    """The answer to one request under these names."""
    poster = Poster(Guard(names, allow_local=allow_local), allow_local=allow_local, tls=tls, request_s=2.0)
    try:
        return await poster.post(url, "{}", {}, NOW)
    finally:
        await poster.close()


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["93.184.215.14", "10.0.0.1"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%lo"],
        ["nothing"],
    ],
)
async def test_a_name_with_any_address_that_is_not_public_is_not_asked(answer: list[str]) -> None:
    guard = Guard(Names(answer))
    with pytest.raises(NotPublic):
        await guard.addresses("hooks.example.org", 443)
    await guard.aclose()
    assert (await posted(PUBLIC, Names(answer))).said == REFUSED


async def test_a_name_that_resolves_to_this_machine_at_the_second_look_is_not_asked(receiver: Receiver) -> None:
    names = Names(["93.184.215.14"], ["127.0.0.1"])
    guard = Guard(names)
    assert [str(one) for one in await guard.addresses("hooks.example.org", 443)] == ["93.184.215.14"], "registered"
    poster = Poster(guard, request_s=2.0)
    answer = await poster.post(PUBLIC, "{}", {}, NOW)
    await poster.close()
    assert (answer.status, answer.said, names.asked) == (0, REFUSED, 2) and not receiver.got


async def test_a_name_is_resolved_once_for_each_request_and_the_connection_goes_there(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    port = URL(receiver.url).port
    assert (await posted(f"http://localhost:{port}/x", names, allow_local=True)).status == 204
    assert names.asked == 1 and receiver.got[0][0]["host"] == f"localhost:{port}"


async def test_what_gets_past_form_and_names_does_not_get_a_socket(receiver: Receiver) -> None:
    poster = Poster(Guard(Names(["93.184.215.14"])))
    with pytest.raises(NotPublic):
        await poster._session.post(URL(receiver.url))
    await poster.close()
    assert not receiver.got


@pytest.mark.parametrize(
    ("host", "asked"),
    [("hooks.example.org", "hooks.example.org."), ("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")],
)
def test_no_search_domain_of_the_machine_is_tried(monkeypatch: pytest.MonkeyPatch, host: str, asked: str) -> None:
    names: list[str] = []

    def found(name: str, port: int, **_: Any) -> list[Any]:
        names.append(name)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", found)
    assert not system_addresses(host, 443) and names == [asked]


async def test_names_without_an_answer_or_with_too_many_are_bounded() -> None:
    def gone(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(NoAddress):
        await Guard(gone).addresses("hooks.example.org", 443)
    with pytest.raises(NoAddress):
        await Guard(Names([])).addresses("hooks.example.org", 443)
    many = [f"93.184.215.{number}" for number in range(100)]
    assert len(await Guard(Names(many)).addresses("hooks.example.org", 443)) == MAX_ADDRESSES
    with pytest.raises(NotPublic):
        await Guard(Names([*many, "127.0.0.1"])).addresses("hooks.example.org", 443)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "https://127.0.0.1/", "https://user@hooks.example.org/", "nothing"]
)
async def test_what_was_stored_before_a_rule_was_made_is_refused_when_it_is_sent(url: str) -> None:
    answer = await posted(url, Names(["93.184.215.14"]))
    assert answer.outcome == "unreachable" and answer.said.startswith("the address must")


async def test_the_environments_proxies_play_no_part(
    receiver: Receiver, local: Poster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await local.post(receiver.url, "{}", {}, NOW)).status == 204


async def test_cookies_are_not_kept(receiver: Receiver, local: Poster) -> None:
    receiver.answer = lambda _: web.Response(headers={"Set-Cookie": "a=b; Path=/"})
    for _ in range(2):
        await local.post(receiver.url, "{}", {}, NOW)
    assert not any("cookie" in headers for headers, _ in receiver.got)


async def test_of_a_long_answer_little_is_read_and_less_is_kept(receiver: Receiver, local: Poster) -> None:
    receiver.answer = lambda _: web.Response(status=500, body=b"a\x00\x1b[31m" + "é".encode() * 4_000_000)
    answer = await local.post(receiver.url, "{}", {}, NOW)
    assert answer.status == 500 and answer.said.startswith("a  [31mé") and len(answer.said) <= SAID_BYTES
    assert answer.took_ms < 1_000 and MAX_ANSWER_BYTES < 4_000_000


async def test_a_compressed_answer_is_not_unpacked(receiver: Receiver, local: Poster) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    receiver.answer = lambda _: web.Response(status=500, body=bomb, headers={"Content-Encoding": "gzip"})
    assert "000" not in (await local.post(receiver.url, "{}", {}, NOW)).said


async def test_an_answer_whose_body_never_ends_counts_by_its_status(local: Poster) -> None:
    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(50):
            writer.write(b"1\r\na\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with await asyncio.start_server(dripping, "127.0.0.1", 0) as server:
        answer = await local.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", "{}", {}, NOW)
    assert answer.outcome == "delivered" and answer.took_ms < 4_000


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "the answer is not HTTP"),
        (b"", "the connection was closed before an answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, "the answer is not HTTP"),
    ],
)
async def test_what_is_no_answer_says_so_in_words_of_ours(local: Poster, sent: bytes, said: str) -> None:
    async def speaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(sent)
        writer.close()

    async with await asyncio.start_server(speaking, "127.0.0.1", 0) as server:
        answer = await local.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", "{}", {}, NOW)
    assert (answer.status, answer.said) == (0, said)


async def test_a_receiver_that_says_nothing_is_left(local: Poster) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3)
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        answer = await local.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", "{}", {}, NOW)
    assert (answer.status, answer.said) == (0, "no answer within 1 s") and answer.took_ms < 2_000


async def test_where_nobody_listens_no_address_is_told(local: Poster) -> None:
    answer = await local.post("http://127.0.0.1:9/", "{}", {}, NOW)
    assert (answer.outcome, answer.said) == ("unreachable", "no connection could be made")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("120", timedelta(seconds=120)),
        ("0", timedelta(0)),
        ("soon", None),
        ("-5", None),
        ("9" * 4_000, timedelta(10**8 / 86_400)),
    ],
)
async def test_retry_after_is_seconds_or_a_date_or_nothing(
    receiver: Receiver, local: Poster, told: str, expected: timedelta | None
) -> None:
    receiver.answer = lambda _: web.Response(status=503, headers={"Retry-After": told})
    found = (await local.post(receiver.url, "{}", {}, NOW)).retry_after
    assert found == expected or (expected and found and abs(found - expected) < timedelta(days=1_000))


@pytest.mark.parametrize(("named", "status"), [("localhost", 204), ("elsewhere.example.org", 0)])
async def test_the_certificate_must_be_valid_for_the_name(tmp_path: Path, named: str, status: int) -> None:
    context, trusted = certified(named, tmp_path)
    app, heard = web.Application(), []

    async def handle(request: web.Request) -> web.Response:
        heard.append(request.host)
        return web.Response(status=204)

    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    answer = await posted(f"https://localhost:{port}/", Names(["127.0.0.1"]), allow_local=True, tls=trusted)
    unknown = await posted(f"https://localhost:{port}/", Names(["127.0.0.1"]), allow_local=True)
    await runner.cleanup()
    said = "the certificate is not valid for the name of the host"
    assert answer.status == status and (answer.said == said) is (status == 0)
    assert (unknown.status, unknown.said) == (0, said) and heard == [f"localhost:{port}"] * (status == 204)


def certified(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that trusts it."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=pem.decode())
