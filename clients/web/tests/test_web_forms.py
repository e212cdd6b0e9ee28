"""Forms of other sites do nothing; headers hold for every answer."""

from __future__ import annotations

import re

import pytest
from browser_stand_in import PUBLIC, Running
from fake_platform import PASSWORD

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": PUBLIC},
        {"sec-fetch-site": "same-site", "origin": PUBLIC},
        {"origin": "https://evil.test"},
        {"origin": "http://lyceum.test.evil.test"},
    ],
)
async def test_a_form_of_another_site_is_refused_even_with_a_proof(web: Running, headers: dict[str, str]) -> None:
    async with web.browser() as browser:
        await browser.open("/web/login")
        answer = await browser.send("/web/login", headers, username="ada", password=PASSWORD)
        assert answer.status_code == 403 and "did not come from this site" in browser.text
        assert not web.platform.asked


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "null"},
        {"sec-fetch-site": "same-origin", "origin": "https://what-the-proxy-calls-us.test"},
        {"origin": "null"},
        {"origin": PUBLIC},
    ],
    ids=["tells nothing", "no-referrer of a proxy", "host rewritten", "old browser, no-referrer", "old browser"],
)
async def test_our_own_form_passes_whatever_proxies_do_to_headers(web: Running, headers: dict[str, str]) -> None:
    async with web.browser() as browser:
        await browser.open("/web/login")
        answer = await browser.send("/web/login", headers, username="ada", password=PASSWORD)
        assert answer.status_code == 303


@pytest.mark.parametrize("proof", [None, "", "x", "A" * 43])
@pytest.mark.parametrize("action", ["/web/login", "/web/logout", "/web/language"])
async def test_a_form_without_its_proof_is_refused(web: Running, proof: str | None, action: str) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/")
        asked = len(web.platform.asked)
        answer = await browser.send(action, csrf=proof, language="zh", page="dashboard", username="ada", password="p")
        assert answer.status_code == 403 and len(web.platform.asked) == asked


async def test_the_proof_of_one_session_is_none_for_another(web: Running) -> None:
    async with web.browser() as mine, web.browser() as other:
        for browser in (mine, other):
            await browser.open("/web/login")
        own, foreign = (browser.page.text.partition('name="csrf" value="')[2][:43] for browser in (mine, other))
        assert own != foreign
        answer = await mine.send("/web/login", csrf=foreign, username="ada", password=PASSWORD)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=1&a=2", FORM, 400),
        (b"a=%zz&b", FORM, 400),
        (b"a=%ff", FORM, 400),
        (b"&".join(b"f%d=1" % n for n in range(20)), FORM, 400),
        (b"{}", {"content-type": "application/json"}, 415),
        (b"a=1", {"content-type": "application/x-www-form-urlencoded; charset=gbk"}, 415),
        (b"a=" + b"x" * 20_000, FORM, 413),
    ],
    ids=["twice", "broken", "no UTF-8", "too many", "JSON", "charset", "too large"],
)
async def test_what_is_no_form_of_ours_is_refused(web: Running, body: bytes, kind: dict[str, str], status: int) -> None:
    async with web.browser() as browser:
        assert (await browser.client.post("/web/login", content=body, headers=kind)).status_code == status


@pytest.mark.parametrize("path", ["/web/", "/web/login", "/web/nothing", "/web/healthz", "/web/panels/overview.csv"])
async def test_every_answer_has_the_headers_that_protect_it(web: Running, path: str) -> None:
    async with web.browser() as browser:
        headers = (await browser.open(path)).headers
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert headers["referrer-policy"] == "same-origin"


async def test_no_page_has_a_script_or_a_style_of_its_own(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        pages = [(await browser.open(path)).text for path in ("/web/", "/web/login", "/web/nothing")]
    for page in pages:
        assert " style=" not in page and "<style" not in page and " onclick" not in page and "javascript:" not in page
        assert page.count("<script") == page.count("<script src=") + page.count('<script type="application/json">')
        assert "http://" not in page and "https://" not in page, "nothing comes from anywhere else"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/web/", "GET, HEAD"), ("GET", "/web/logout", "POST"), ("PUT", "/web/login", "GET, HEAD, POST")],
)
async def test_a_wrong_method_is_told_which_are_right(web: Running, method: str, path: str, allowed: str) -> None:
    async with web.browser() as browser:
        answer = await browser.client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_the_log_says_what_happened_and_to_nobody(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in("ada")
        await browser.open("/web/?currency=USD")
        await browser.open("/web/nobody-knows-this")
    lines = web.logged()
    assert [line["route"] for line in lines] == ["/web/login", "/web/login", "/web/", ""]
    assert lines[2].keys() == {"at", "event", "method", "route", "status", "duration_ms", "request_id"}
    text = re.sub(r'"request_id": "[0-9a-f]+"', "", "".join(web.lines))  # by chance it may spell a name
    for private in ("ada", "203.0.113.7", "USD", "nobody-knows", "m-ada", "sid-1"):
        assert private not in text
