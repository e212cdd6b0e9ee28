"""Bounds of the process: time, requests at once, sizes; and the key of the cookies."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser_stand_in import PUBLIC, Running, running
from starlette.types import Receive, Scope, Send

from lyceum_web import bounds
from lyceum_web.app import app_of
from lyceum_web.edge import guard
from lyceum_web.errors import KeyUnusable
from lyceum_web.gateway import client
from lyceum_web.panels.registry import panels_for
from lyceum_web.session.renewing import Remembered
from lyceum_web.session.sealing import KEY_FILE, Seals, seals_in


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has half a second in all."""

    def in_half_a_second(pages: Any, refusal: Any, log: Any, is_draining: Any) -> guard.Guard:
        return guard.Guard(pages, refusal, log, is_draining, deadline_s=0.5)

    monkeypatch.setattr("lyceum_web.app.Guard", in_half_a_second)
    monkeypatch.setattr("lyceum_web.visit.PAGE_MARGIN_S", 0.2)


async def test_a_gateway_that_takes_too_long_costs_its_panels_and_not_the_page(web: Running, in_a_hurry: None) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/")  # the zone is known from here on
        web.platform.pause_s = 5.0
        began = asyncio.get_running_loop().time()
        answer = await browser.open("/web/")
        assert asyncio.get_running_loop().time() - began < 0.5
        assert answer.status_code == 200 and browser.text.count("did not arrive in time") == len(panels_for("auditor"))


async def test_a_body_that_does_not_arrive_is_not_waited_for_longer_than_the_deadline(
    web: Running, in_a_hurry: None
) -> None:
    async def drops() -> AsyncIterator[bytes]:
        yield b"a="
        await asyncio.sleep(5)

    async with web.browser() as browser:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        answer = await browser.client.post("/web/login", content=drops(), headers=kind)
        assert answer.status_code == 504 and "The answer took too long." in answer.text


async def test_more_requests_at_once_than_are_served_are_told_to_come_back(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "REQUESTS_AT_ONCE", 2)
    async with web.browser() as browser:
        await browser.log_in()
        web.platform.pause_s = 0.05
        answers = await asyncio.gather(*(browser.client.get("/web/") for _ in range(5)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) == 3 and all("Too many people" in answer.text for answer in refused)
    assert {answer.headers["retry-after"] for answer in refused} == {"5"}


async def test_an_address_that_is_too_long_is_refused(web: Running) -> None:
    async with web.browser() as browser:
        assert (await browser.open("/web/?x=" + "a" * 3000)).status_code == 414


async def test_an_error_of_the_program_is_a_page_and_a_line_without_what_it_said(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(role: str) -> None:
        raise RuntimeError("secret of ada")

    monkeypatch.setattr("lyceum_web.pages.dashboard.panels_for", fails)
    async with web.browser() as browser:
        await browser.log_in()
        answer = await browser.open("/web/")
        assert answer.status_code == 500 and "Something went wrong on our side." in browser.text
        assert f"Reference: {answer.headers['x-request-id']}" in browser.text
    [line] = [line for line in web.logged() if line["event"] == "failure"]
    assert line["kind"] == "RuntimeError" and line["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in "".join(web.lines) and "secret" not in answer.text


async def test_the_gateways_id_of_a_request_is_its_reference_and_nothing_else_is(web: Running) -> None:
    async with web.browser() as browser:
        for given, kept in (("0a1b2c3d-0a1b", True), ("<script>", False), ("x" * 100, False)):
            answer = await browser.client.get("/web/nothing", headers={"x-request-id": given})
            assert (answer.headers["x-request-id"] == given) == kept and "<script>" not in answer.text


async def test_it_says_that_it_is_well_without_asking_anybody(web: Running) -> None:
    async with web.browser() as browser:
        assert ((await browser.open("/web/healthz")).status_code, browser.page.text) == (200, "ok\n")
        assert "connection" not in browser.page.headers
        web.site.is_draining = True
        assert ((await browser.open("/web/healthz")).status_code, browser.page.text) == (503, "draining\n")
        assert (await browser.open("/web/login")).headers["connection"] == "close"
    assert not web.platform.asked


async def test_files_for_the_browser_are_kept_under_their_content(tmp_path: Path) -> None:
    (tmp_path / "echarts.min.js").write_text("// charts")
    web = running(tmp_path, chart_dir=tmp_path)
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/")
        for name in ("web.css", "web.js", "icon.svg", "echarts.min.js"):
            url = web.site.assets.url(name)
            assert url in browser.page.text
            answer = await browser.client.get(url)
            assert "immutable" in answer.headers["cache-control"] and answer.headers["content-encoding"] == "gzip"
            plain = await browser.client.get(url, headers={"accept-encoding": "identity"})
            assert plain.content == answer.content and "content-encoding" not in plain.headers
        assert (await browser.client.get("/web/static/0123456789abcdef/web.css")).status_code == 404
        assert (await browser.client.get("/web/static/0123456789abcdef/..%2fapp.py")).status_code == 404


async def test_without_the_chart_library_the_page_has_its_tables_and_no_script(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/")
        assert "<script src" not in browser.page.text and browser.page.text.count("<table>") == len(
            panels_for("auditor")
        )
        assert browser.page.text.count('<figure class="chart"') == browser.page.text.count(" hidden>\n<figcaption>")


# -- the key ----------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: seals_in(folder), range(8)))
    assert len({tuple(one.keys) for one in made}) == 1
    assert [file.name for file in folder.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "short\n", "!" * 43 + "\n"])
def test_a_damaged_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / KEY_FILE).write_text(text)
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(KeyUnusable, match="keys of 32 bytes"):
        seals_in(tmp_path)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    seals_in(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o640)
    with pytest.raises(KeyUnusable, match="may be read by others"):
        seals_in(tmp_path)


def test_a_key_can_be_replaced_without_ending_sessions() -> None:
    old, new = b"o" * 32, b"n" * 32
    value, mark = Seals([old]).sealed(b"text", "p"), Seals([old]).mark("text", "p")
    both = Seals([new, old])
    assert both.opened(value, "p") == b"text" and both.is_marked("text", mark, "p")
    assert Seals([new]).opened(value, "p") is None and not Seals([new]).is_marked("text", mark, "p")


@pytest.mark.parametrize("value", ["", "x", "A" * 16, "A" * 200, "é" * 40, "=" * 40, "AAAA\n" * 20])
def test_what_was_not_sealed_here_is_nothing(value: str) -> None:
    assert Seals([b"k" * 32]).opened(value, "p") is None


def test_what_was_sealed_for_one_purpose_opens_for_no_other() -> None:
    seals = Seals([b"k" * 32])
    assert seals.opened(seals.sealed(b"text", "session 1"), "session 2") is None


def test_what_is_remembered_is_bounded_in_number_and_time() -> None:
    now = [0.0]
    kept: Remembered[int] = Remembered(2, 10.0, lambda: now[0])
    for number in range(3):
        kept.put(str(number), number)
    assert [kept.get(str(number)) for number in range(3)] == [None, 1, 2]
    now[0] = 10.0
    assert kept.get("2") is None


def test_no_wait_is_longer_than_a_request(web: Running) -> None:
    assert bounds.PAGE_MARGIN_S < bounds.REQUEST_DEADLINE_S < bounds.FINISH_S
    assert client.http_client("http://gateway.test").timeout.read == bounds.REQUEST_DEADLINE_S


async def test_what_is_no_request_of_http_passes_the_guard() -> None:
    seen: list[str] = []

    async def pages(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await guard.Guard(pages, None, None, lambda: False)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]


async def test_paths_beyond_the_pages_are_not_served(web: Running) -> None:
    transport = httpx.ASGITransport(app=app_of(web.site))
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as browser:
        for path in ("/", "/v1/sessions", "/webs", "/web//", "/web/panels/", "/web/static/a/b/c"):
            assert (await browser.get(path)).status_code == 404
        assert (await browser.get("/web")).headers["location"] == "/web/"
