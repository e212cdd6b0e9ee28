"""Pages for browsers behind the gateway: what reaches the web client, and what its own door believes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from edge_stand_in import Running, running

from lyceum_gateway import render
from lyceum_gateway.environment import gateway_of
from lyceum_gateway.limits import Limits
from lyceum_gateway.pages import Pages
from lyceum_gateway.services import SERVICES
from lyceum_local.ports import free_port

LOGINS = 3


@dataclass
class WebStandIn:
    """Remembers what arrived."""

    port: int
    door: int
    arrived: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.arrived.append(request)
        await request.read()
        return web.Response(text="<!doctype html>", content_type="text/html", headers={"set-cookie": "s=1"})

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.arrived[-1].headers.items()}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()


@pytest.fixture
async def stand_in() -> AsyncIterator[WebStandIn]:
    made = WebStandIn(free_port(), free_port())
    async with made.serving():
        yield made


@pytest.fixture
async def gateway(tmp_path: Path, stand_in: WebStandIn) -> AsyncIterator[Running]:
    pages = Pages("127.0.0.1", stand_in.port, stand_in.door)
    limits = Limits(credentials_per_client_per_min=LOGINS)
    async with running(tmp_path, pages=pages, limits=limits, allowed_origins=["https://app.test"]) as ready:
        yield ready


@pytest.mark.parametrize("path", ["/web/", "/web", "/web/login?days=30", "/web/static/ab/web.css"])
async def test_what_is_a_page_reaches_the_web_client_as_it_came(
    gateway: Running, stand_in: WebStandIn, path: str
) -> None:
    answer = await gateway.client.get(path, headers={"cookie": "session=sealed", "accept-language": "zh"})
    assert (answer.status_code, answer.text, answer.headers["set-cookie"]) == (200, "<!doctype html>", "s=1")
    assert (stand_in.arrived[-1].path_qs, stand_in.headers["cookie"]) == (path, "session=sealed")
    assert stand_in.headers["host"] == gateway.target


async def test_no_browser_says_for_itself_who_it_is(gateway: Running, stand_in: WebStandIn) -> None:
    told = {"x-lyceum-client": "198.51.100.1", "x-forwarded-for": "198.51.100.2", "authorization": "Bearer x"}
    await gateway.client.get("/web/", headers=told)
    assert stand_in.headers["x-lyceum-client"] == "127.0.0.1" and "authorization" not in stand_in.headers


@pytest.mark.parametrize("path", ["/webhooks", "/website/", "/Web/", "/v1/web/"])
async def test_what_only_looks_like_a_page_is_none(gateway: Running, stand_in: WebStandIn, path: str) -> None:
    answer = await gateway.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, 5) and not stand_in.arrived


@pytest.mark.parametrize("path", ["/web/../register", "/web/%2e%2e/register"])
async def test_no_path_leads_from_the_pages_to_a_service_unseen(
    gateway: Running, stand_in: WebStandIn, path: str
) -> None:
    async with httpx.AsyncClient() as client:
        request = client.build_request("GET", str(gateway.client.base_url))
        request.url = request.url.copy_with(raw_path=path.encode())
        answer = await client.send(request)
    assert answer.status_code == 405 and not stand_in.arrived


async def test_no_rpc_gets_the_cookie_of_the_pages(gateway: Running) -> None:
    await gateway.client.post("/register", json={"username": "a"}, headers={"cookie": "session=sealed"})
    assert gateway.services.requests and "cookie" not in gateway.services.metadata


async def test_log_ins_by_the_form_are_counted_as_those_by_the_rpc(gateway: Running, stand_in: WebStandIn) -> None:
    answers = [await gateway.client.post("/web/login", data={"username": "a"}) for _ in range(LOGINS + 1)]
    assert [answer.status_code for answer in answers] == [200] * LOGINS + [429]
    assert answers[-1].headers["retry-after"] == "1" and "请求过多" in answers[-1].text
    assert (await gateway.client.get("/web/login")).status_code == 200


async def test_a_form_that_is_too_large_is_refused_before_the_web_client(
    gateway: Running, stand_in: WebStandIn
) -> None:
    answer = await gateway.client.post("/web/language", content=b"x" * 40_000)
    assert answer.status_code == 413 and not stand_in.arrived


async def test_where_the_web_client_is_away_a_browser_reads_a_sentence_and_the_rpcs_go_on(tmp_path: Path) -> None:
    pages = Pages("127.0.0.1", free_port(), free_port())
    async with running(tmp_path, pages=pages) as gateway:
        answer = await gateway.client.get("/web/")
        assert answer.status_code == 503 and "try again shortly 页面暂时无法显示" in answer.text
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert (await gateway.client.post("/register", json={"username": "a"})).status_code == 200


async def test_the_web_clients_own_door_believes_it_whose_request_it_brings(
    gateway: Running, stand_in: WebStandIn
) -> None:
    door = f"http://127.0.0.1:{stand_in.door}"
    async with httpx.AsyncClient(base_url=door, headers={"x-forwarded-for": "198.51.100.7"}) as client:
        assert (await client.post("/register", json={"username": "a"})).status_code == 200
    assert gateway.services.metadata["x-lyceum-client"] == "198.51.100.7"
    await gateway.client.post("/register", json={"username": "a"}, headers={"x-forwarded-for": "198.51.100.7"})
    assert gateway.services.metadata["x-lyceum-client"] == "127.0.0.1", "nobody else is believed"


async def test_each_browser_has_a_limit_of_its_own_at_that_door(gateway: Running, stand_in: WebStandIn) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stand_in.door}") as client:

        async def log_in(address: str) -> int:
            body = {"username": "a", "password": "b"}
            headers = {"x-forwarded-for": address}
            return (await client.post("/v1/sessions", json=body, headers=headers)).status_code

        assert [await log_in("198.51.100.7") for _ in range(LOGINS + 1)] == [200] * LOGINS + [429]
        assert await log_in("198.51.100.8") == 200


async def test_that_door_has_the_rules_of_the_other_and_no_pages(gateway: Running, stand_in: WebStandIn) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stand_in.door}") as client:
        assert (await client.get("/v1/members/me")).status_code == 401
        assert (await client.get("/v1/members/me", headers=gateway.bearer())).status_code == 200
        assert (await client.post("/register", json={"usernames": "a"})).status_code == 400
        assert (await client.get("/web/")).status_code == 404


def test_without_a_web_client_there_is_one_door_and_no_page() -> None:
    given = {f"{name.upper()}_TARGET": f"{name}:50051" for name in SERVICES}
    given |= {"JWT_ISSUER": "https://issuer.test", "JWT_AUDIENCE": "lyceum"}
    assert "gateway_for_pages" not in render(gateway_of(given))
    rendered = render(gateway_of(given | {"WEB_TARGET": "web:15091", "PAGES_PORT": "8090"}))
    assert "port_value: 8090" in rendered and '"address": "web"' in rendered
