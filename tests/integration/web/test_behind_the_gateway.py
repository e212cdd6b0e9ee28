"""The pages behind the real gateway and identity, without a browser."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from pathlib import Path

import httpx
import pytest
from browser_stand_in import Browser, Clock, form_fields
from community import PASSWORD, Community
from operating import make_account

from lyceum_local.stack import LocalStack
from lyceum_web.app import app_of
from lyceum_web.edge.log import Log
from lyceum_web.panels.registry import panels_for
from lyceum_web.session.sessions import opened
from lyceum_web.settings import WebSettings
from lyceum_web.site import Site, site_of

SESSION = "lyceum-web-session"
ACCESS_S = 600
TABS = 6
PATIENCE_S = 20


@pytest.fixture(scope="module")
def auditor(stack: LocalStack, community: Community) -> str:
    name = f"a{uuid.uuid4().hex[:16]}"
    make_account(stack, name, "auditor")
    return name


def _browser(stack: LocalStack) -> Browser:
    return Browser(httpx.AsyncClient(base_url=stack.around.public_url, timeout=PATIENCE_S))


@pytest.mark.one_machine("the states of the supervisor")
async def test_the_pages_are_part_of_the_stack(stack: LocalStack, auditor: str) -> None:
    assert stack.states()["web"].state == "RUNNING"
    browser = _browser(stack)
    assert (await browser.open("/web/healthz")).text == "ok\n"
    assert (await browser.log_in(auditor)).headers["location"] == "/web/"
    page = await browser.open("/web/")
    assert page.status_code == 200 and page.text.count('<section class="panel"') == len(panels_for("auditor"))
    assert 'class="complaint"' not in page.text


@pytest.mark.one_machine("the key of the pages, for a second replica")
async def test_a_log_out_ends_the_session_at_identity(stack: LocalStack, auditor: str) -> None:
    browser, seals = _browser(stack), _site(stack, Clock(time.time())).seals
    await browser.log_in(auditor)
    session = opened(browser.client.cookies[SESSION], seals, time.time())
    assert session is not None
    await browser.open("/web/")
    assert (await browser.send("/web/logout")).status_code == 200
    told = {"refresh_token": session.refresh}
    assert (await browser.client.post("/v1/sessions:refresh", json=told)).status_code == 401


@pytest.mark.one_machine("the key of the pages, for a second replica")
async def test_tabs_of_two_replicas_that_wake_up_at_once_all_stay_logged_in(stack: LocalStack, auditor: str) -> None:
    clock = Clock(time.time())
    replicas = [_site(stack, clock) for _ in range(2)]
    browser = _browser(stack)
    await browser.log_in(auditor)
    cookie = {"cookie": f"{SESSION}={browser.client.cookies[SESSION]}"}
    clock.now += ACCESS_S
    answers = await asyncio.gather(*(_opened(replicas[at % 2], cookie) for at in range(TABS)))
    assert [answer.status_code for answer in answers] == [200] * TABS
    renewed = [answer.headers["set-cookie"].partition(";")[0] for answer in answers]
    later = [await _opened(replicas[at % 2], {"cookie": renewed[at]}) for at in range(TABS)]
    assert [answer.status_code for answer in later] == [200] * TABS


async def test_a_creator_sees_their_own_figures(stack: LocalStack, community: Community) -> None:
    name = f"m{uuid.uuid4().hex[:16]}"
    session = community.anonymous()
    session.post("/register", {"username": name, "password": PASSWORD, "role": "creator"})
    logged_in = community.log_in(name)
    path = f"/v1/metrics/members/{logged_in.member_id}/activity"
    for _ in range(200):  # metrics hears of the member by its topic
        if logged_in.request("GET", path).status_code == 200:
            break
        await asyncio.sleep(0.05)
    browser = _browser(stack)
    await browser.log_in(name)
    page = await browser.open("/web/")
    assert "Your activity" in browser.text and 'class="complaint"' not in page.text


async def test_a_wrong_password_by_the_pages_is_one_at_identity(stack: LocalStack, auditor: str) -> None:
    browser = _browser(stack)
    assert (await browser.log_in(auditor, "wrong-wrong")).status_code == 401
    assert "The user name or the password is wrong." in browser.text


def test_while_the_pages_are_started_again_no_request_is_lost(stack: LocalStack, auditor: str) -> None:
    statuses: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=stack.around.public_url, timeout=PATIENCE_S) as client:
            while not ended.is_set():
                statuses.append(client.get("/web/login").status_code)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for one in asking:
        one.start()
    try:
        stack.restart("web")
    finally:
        ended.set()
        for one in asking:
            one.join(PATIENCE_S)
    assert len(statuses) > 20 and set(statuses) == {200}


async def test_metrics_that_are_away_cost_their_figures_and_not_the_page(stack: LocalStack, auditor: str) -> None:
    browser = _browser(stack)
    await browser.log_in(auditor)
    await browser.open("/web/")
    stack.pause("metrics-serve")
    try:
        began = time.monotonic()
        page = await browser.open("/web/")
        assert time.monotonic() - began < 16
        assert page.status_code == 200 and browser.text.count("did not arrive in time") == len(panels_for("auditor"))
    finally:
        stack.resume("metrics-serve")
    assert form_fields(page.text, "/web/logout")["csrf"]


def _site(stack: LocalStack, clock: Clock) -> Site:
    """Another replica of the stack's own web client, with the same key."""
    around = stack.around
    settings = WebSettings(
        gateway_url=f"http://127.0.0.1:{around.ports.gateway_pages}",
        public_url=around.public_url,
        key_dir=Path(around.key_dir("web")),
    )
    return site_of(settings, clock=clock, log=Log(lambda _: None))


async def _opened(site: Site, headers: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(app=app_of(site))
    async with httpx.AsyncClient(transport=transport, base_url=site.settings.public_url) as client:
        return await client.get("/web/", headers=headers)
