"""Log-in, log-out and sessions, as a browser goes through them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from browser_stand_in import Running, running
from fake_platform import PASSWORD, refusal

from lyceum_web.bounds import SESSION_S

SESSION = "lyceum-web-session"


async def test_who_logs_in_sees_the_dashboard(web: Running) -> None:
    async with web.browser() as browser:
        answer = await browser.log_in()
        assert (answer.status_code, answer.headers["location"]) == (303, "/web/")
        await browser.open("/web/")
        assert browser.page.status_code == 200 and "Logged in as auditor" in browser.text


async def test_who_is_not_logged_in_is_sent_to_the_form_with_the_choices_of_the_page(web: Running) -> None:
    async with web.browser() as browser:
        answer = await browser.open("/web/?days=90&as_of=1998-06-30&currency=USD")
        assert answer.headers["location"] == "/web/login?days=90&as_of=1998-06-30&currency=USD"
        answer = await browser.log_in(path=answer.headers["location"])
        assert answer.headers["location"] == "/web/?days=90&as_of=1998-06-30&currency=USD"


@pytest.mark.parametrize("name", ["next", "return_to", "url", "redirect_uri"])
async def test_no_field_of_the_form_leads_to_another_site(web: Running, name: str) -> None:
    async with web.browser() as browser:
        await browser.open(f"/web/login?{name}=//evil.test/")
        answer = await browser.send("/web/login", username="ada", password=PASSWORD, **{name: "https://evil.test/"})
        assert answer.headers["location"] == "/web/"


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("a" * 300, "x")])
async def test_a_wrong_name_or_password_is_said_plainly_and_not_repeated(
    web: Running, username: str, password: str
) -> None:
    async with web.browser() as browser:
        answer = await browser.log_in(username, password)
        assert answer.status_code == 401 and "The user name or the password is wrong." in browser.text
        assert SESSION not in browser.client.cookies
        assert username not in answer.text.replace('autocomplete="username"', "") or username == "nobody"
        assert not any(password in line for line in web.lines)


async def test_a_password_reaches_the_gateway_as_it_was_typed(web: Running) -> None:
    password = ' p+&="%\\\t密码 '
    async with web.browser() as browser:
        await browser.log_in("ada", password)
    assert json.loads(web.platform.asked[-1].content) == {"username": "ada", "password": password}


async def test_whose_attempt_it_is_reaches_the_gateway(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
    assert web.platform.asked[-1].headers["x-forwarded-for"] == "203.0.113.7"


async def test_who_tries_too_often_is_told_for_how_long_to_wait(web: Running) -> None:
    web.platform.replies["/v1/sessions"] = refusal(429, **{"retry-after": "7"})
    async with web.browser() as browser:
        answer = await browser.log_in()
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert "Try again in 7 seconds." in browser.text and 'name="password"' in answer.text


async def test_a_log_in_while_the_gateway_is_away_is_told_so(web: Running) -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    web.platform.replies["/v1/sessions"] = gone
    async with web.browser() as browser:
        answer = await browser.log_in()
        assert answer.status_code == 503 and "The platform does not answer at the moment." in browser.text


async def test_the_cookie_tells_nothing_and_cannot_be_made(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        value = browser.client.cookies[SESSION]
        assert not {"ada", "auditor", "refresh", "sid-1"} & set(value.split("."))
        browser.client.cookies.set(SESSION, value[:-2] + ("AA" if value[-2:] != "AA" else "BB"), path="/web/")
        browser.client.cookies.delete(SESSION, domain="lyceum.test", path="/web/")
        assert (await browser.open("/web/")).status_code == 303


async def test_over_http_the_cookie_is_for_scripts_of_nobody_and_these_pages_alone(web: Running) -> None:
    async with web.browser() as browser:
        answer = await browser.log_in()
    [cookie] = [one for one in answer.headers.get_list("set-cookie") if one.startswith(SESSION)]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/web/" in cookie and "Secure" not in cookie
    assert f"Max-Age={SESSION_S}" in cookie


async def test_behind_a_proxy_that_ends_tls_the_cookie_is_secure_and_no_address_falls_back_to_http(
    tmp_path: Path,
) -> None:
    web = running(tmp_path, public="https://lyceum.test")
    async with web.browser() as browser:
        browser.client.base_url = httpx.URL("http://lyceum.test")  # as the last stretch is
        sent = await browser.open("/web/")
        assert sent.headers["location"] == "/web/login"
        await browser.open("/web/login")
        [visit] = browser.page.headers.get_list("set-cookie")
        assert visit.startswith("__Host-lyceum-web-visit=") and "Secure" in visit and "Path=/;" in visit + ";"
        headers = {"cookie": visit.partition(";")[0]}
        answer = await browser.send("/web/login", headers, username="ada", password=PASSWORD)
        [cookie] = [one for one in answer.headers.get_list("set-cookie") if "session" in one]
        assert cookie.startswith("__Host-lyceum-web-session=") and "Secure" in cookie and "Domain" not in cookie


async def test_a_log_in_takes_nothing_over_that_somebody_put_into_the_browser_before(web: Running) -> None:
    async with web.browser() as browser:
        browser.client.cookies.set("lyceum-web-visit", "planted", domain="lyceum.test", path="/web/")
        await browser.open("/web/login")
        proof = browser.page.text
        await browser.send("/web/login", username="ada", password=PASSWORD)
        assert browser.client.cookies["lyceum-web-visit"] != "planted"
        await browser.open("/web/")
        assert 'name="csrf"' in proof and _csrf(proof) != _csrf(browser.page.text)


def _csrf(html: str) -> str:
    return html.partition('name="csrf" value="')[2].partition('"')[0]


async def test_a_session_ends_after_its_time_however_busy_it_is(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        for _ in range(SESSION_S // 3600):
            assert (await browser.open("/web/")).status_code == 200
            web.clock.now += 3600
        browser.client.cookies.jar.clear_expired_cookies()
        assert (await browser.open("/web/")).status_code == 303


async def test_tokens_are_renewed_before_they_end_and_the_browser_gets_the_new_ones(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        before = browser.client.cookies[SESSION]
        web.clock.now += 590
        await browser.open("/web/")
        assert browser.page.status_code == 200 and web.platform.refreshes == 1
        assert browser.client.cookies[SESSION] != before
        await browser.open("/web/")
        assert web.platform.refreshes == 1


async def test_many_tabs_that_wake_up_at_once_renew_once(web: Running) -> None:
    web.platform.pause_s = 0.01
    async with web.browser() as browser:
        await browser.log_in()
        web.clock.now += 700
        cookie = {"cookie": f"{SESSION}={browser.client.cookies[SESSION]}"}
        browser.client.cookies.clear()
        answers = await asyncio.gather(*(browser.client.get("/web/", headers=cookie) for _ in range(8)))
        assert [answer.status_code for answer in answers] == [200] * 8 and web.platform.refreshes == 1


async def test_a_browser_that_never_got_its_new_cookie_goes_on_with_the_old_one(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        old = {"cookie": f"{SESSION}={browser.client.cookies[SESSION]}"}
        web.clock.now += 700
        assert (await browser.open("/web/")).status_code == 200
        browser.client.cookies.clear()
        web.clock.now += 120
        assert (await browser.client.get("/web/", headers=old)).status_code == 200
        assert web.platform.refreshes == 1


async def test_a_token_that_counts_no_more_is_renewed_once(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        web.platform.end_access()
        assert (await browser.open("/web/")).status_code == 200
        assert web.platform.refreshes == 1


async def test_a_session_that_identity_has_ended_says_so_and_leaves_the_cookie_of_other_tabs_alone(
    web: Running,
) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        web.platform.end_sessions()
        answer = await browser.open("/web/")
        assert answer.status_code == 401 and "Your session has ended." in browser.text
        assert "set-cookie" not in answer.headers
        assert (await browser.log_in()).status_code == 303
        assert (await browser.open("/web/")).status_code == 200


async def test_log_out_ends_the_session_at_identity_and_in_the_browser(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/")
        cookie = browser.client.cookies[SESSION]
        answer = await browser.send("/web/logout")
        assert answer.status_code == 200 and "You are logged out" in browser.text
        assert web.platform.revoked == {"sid-1.refresh-1"} and SESSION not in browser.client.cookies
        stolen = await browser.client.get("/web/", headers={"cookie": f"{SESSION}={cookie}"})
        assert stolen.status_code == 303, "who copied the cookie is out, too"


async def test_log_out_ends_what_another_tab_has_renewed_meanwhile(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/")
        page, old = browser.page, {"cookie": f"{SESSION}={browser.client.cookies[SESSION]}"}
        web.clock.now += 700
        await browser.open("/web/")
        browser.client.cookies.clear()
        browser.page = page
        await browser.send("/web/logout", old)
        assert web.platform.revoked == {"sid-1.refresh-2"}


async def test_log_out_while_the_gateway_is_away_is_told_to_be_half(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/")
        web.platform.replies["/v1/sessions:revoke"] = refusal(503)
        await browser.send("/web/logout")
        assert "The platform could not be told" in browser.text and SESSION not in browser.client.cookies
