"""Panels: figures as the gateway gave them, plain words where there are none, and troubles in their own place."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from browser_stand_in import Running, running
from fake_figures import window
from fake_platform import FakePlatform, Reply, community, refusal

from lyceum_web.bounds import CALLS_PER_PAGE, PANEL_CALLS_AT_ONCE
from lyceum_web.errors import Trouble
from lyceum_web.gateway.answers import Answer
from lyceum_web.gateway.client import Parameters
from lyceum_web.panels import retention
from lyceum_web.panels.fetching import Fetching
from lyceum_web.panels.look import Look, look_of
from lyceum_web.panels.panel import Panel, Query
from lyceum_web.panels.registry import PANELS, panels_for
from lyceum_web.panels.roles import MEMBERS, OPERATORS

MOST_QUERIES = 6
NOISED = "/v1/metrics/releases/benchmark"
"""What all creators see of the platform."""
AUDITOR = SimpleNamespace(role="auditor", member_id="m")
ROOT = Path(__file__).parents[1] / "src" / "lyceum_web"


async def _page(web: Running, path: str = "/web/", username: str = "ada") -> str:
    async with web.browser() as browser:
        await browser.log_in(username)
        await browser.open(path)
        assert browser.page.status_code == 200, browser.text
        return browser.page.text


def _figures(html: str, panel: str) -> dict[str, str]:
    """The large figures of a panel by their names."""
    section = html.partition(f'id="{panel}" aria-labelledby')[2].partition("</section>")[0]
    found = re.findall(r"<div><dt>(.*?)</dt><dd[^>]*>(.*?)</dd></div>", section.partition("</dl>")[0])
    return dict(found)


def _charts(html: str) -> list[dict[str, Any]]:
    return [json.loads(one) for one in re.findall(r'<script type="application/json">(.*?)</script>', html)]


async def test_the_worked_cases_stand_on_the_page(web: Running) -> None:
    html = await _page(web)
    assert _figures(html, "revenue") == {
        "R, revenue": "CN¥10,000.00",
        "N, members": "1,000",
        "C, mean spend of a payer": "CN¥100.00",
        "P, conversion": "10.0%",
        "Members who paid": "100",
    }
    assert _figures(html, "overview")["Interactions, all kinds"] == "1,000,000"
    assert _figures(html, "retention")["L(7)"] == "0.8%"
    assert _figures(html, "activity")["Interactions per member and day"] == "33.333"


async def test_a_creator_sees_their_own_figures_and_asks_for_no_others(web: Running) -> None:
    html = await _page(web, username="creator")
    assert _figures(html, "own_retention")["Score"] == "4.4"
    assert _figures(html, "own_activity")["Interactions per day"] == "0.333"
    asked = [request for request in web.platform.asked if "metrics" in request.url.path]
    for request in asked:
        own = request.url.path.startswith("/v1/metrics/members/m-creator/")
        told = {request.url.params.get(name) for name in ("creator_id", "owner")}
        assert own or "m-creator" in told or request.url.path == NOISED, request.url


async def test_figures_of_content_stand_on_the_page_and_in_its_tables(web: Running) -> None:
    html = await _page(web)
    assert _figures(html, "earnings")["Net for creators"] == "CN¥8,500.00"
    assert _figures(html, "outlook")["Low end of 90%"] == "CN¥9,000.00"
    assert _figures(html, "survival")["Model with the least error"] == "Shifted beta-geometric"
    assert _figures(html, "slots")["Opened after a recommendation"] == "50.0%"
    assert _figures(html, "funnel")["Completed"] == "50"
    assert _figures(html, "worth")["Revenue per member in 3 weeks"] == "CN¥30.00"
    assert _figures(html, "buying")["By mean spend times frequency"] == "CN¥24,000.00"
    assert "&lt;b&gt;Tea&lt;/b&gt;" in html and "<b>Tea" not in html


async def test_charts_hold_the_intervals_of_the_chosen_model_only(web: Running) -> None:
    [chart] = [one for one in _charts(await _page(web)) if one["title"].startswith("Share left by weeks")]
    assert [bool(series["low"]) for series in chart["series"]] == [False, False, True, False]
    assert chart["series"][0]["values"] == [1.0, 0.5, 0.25, None], "what is not observed is a gap"


def test_roles_have_the_panels_that_are_for_them() -> None:
    own, of_all = (
        {"own_activity", "own_retention"},
        {"overview", "activity", "retention", "revenue", "calibration", "restated"},
    )
    every = {panel.name for panel in PANELS}
    for role in OPERATORS:
        assert {panel.name for panel in panels_for(role)} == every - own
    assert {panel.name for panel in panels_for("creator")} == every - of_all
    assert {panel.name for panel in panels_for("consumer")} == own
    assert panels_for("something newer") == []


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.name)
def test_a_panel_is_a_module_a_template_and_few_questions(panel: Panel) -> None:
    assert (ROOT / "panels" / f"{panel.name}.py").exists()
    assert (ROOT / "templates" / "panels" / f"{panel.name}.html").exists()
    assert 0 < len(panel.queries(Look())) <= MOST_QUERIES


def test_a_page_asks_no_more_than_it_may() -> None:
    for role in (*OPERATORS, *MEMBERS):
        assert sum(len(panel.queries(Look(days=45))) for panel in panels_for(role)) <= CALLS_PER_PAGE


async def test_an_empty_community_gets_plain_words_and_no_made_up_number(tmp_path: Path) -> None:
    web = running(tmp_path, FakePlatform(community(members=0, payers=0, events=0)))
    html = await _page(web)
    assert html.count("Not enough data yet.") == len(panels_for("auditor"))
    assert not re.search(r"\b(nan|inf|infinity|none|null|undefined)\b", html, re.IGNORECASE)
    assert _figures(html, "retention")["p, kept from one day to the next"] == "not enough data yet"
    assert _figures(html, "revenue")["R, revenue"] == "CN¥0.00"
    assert not _charts(html)


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-Infinity"])
async def test_a_number_that_is_none_is_said_to_be_missing(web: Running, odd: str) -> None:
    web.platform.figures["/v1/metrics/activity"]["activity_per_day"] = odd
    web.platform.figures["/v1/metrics/revenue"]["conversion"] = odd
    html = await _page(web)
    assert _figures(html, "activity")["Interactions per member and day"] == "not enough data yet"
    assert _figures(html, "revenue")["P, conversion"] == "not enough data yet"
    assert [None] * 4 in [chart["series"][0]["values"] for chart in _charts(html)]


async def test_a_single_member_and_a_crowd_look_right(tmp_path: Path) -> None:
    one = running(tmp_path / "one", FakePlatform(community(members=1, payers=1, events=10)))
    assert _figures(await _page(one), "revenue")["P, conversion"] == "100.0%"
    many = running(tmp_path / "many", FakePlatform(community(members=9_000_000_000, payers=10**9, events=10**12)))
    html = await _page(many)
    assert _figures(html, "overview")["Members"] == "9,000,000,000"
    assert _figures(html, "revenue")["R, revenue"] == "CN¥100,000,000,000.00"


async def test_each_panel_says_what_its_figures_look_at_and_how_fresh_they_are(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/")
        text = browser.text.replace("\u202f", " ")
    assert "Definition L(t) = p^t" in text and "Time zone of the days Asia/Shanghai" in text
    assert "Window Mar 2, 2026 to Mar 31, 2026 (number of days: 30)" in text
    assert "As of Mar 31, 2026, 8:00:00 PM" in text
    assert "Data last changed activity: Mar 31, 2026, 7:59:00 PM; registry:" in text


BAD: list[tuple[Reply, str]] = [
    (refusal(429, **{"retry-after": "3"}), "Try again in 3 seconds."),
    (refusal(403), "Your account may not see these figures."),
    (refusal(404), "The platform has no such figures for you yet."),
    (refusal(400, "currency"), "The platform refused the question: currency."),
    (refusal(500), "The platform failed at these figures."),
    (refusal(503), "The platform does not answer for these figures at the moment."),
    (refusal(504), "These figures did not arrive in time."),
    (httpx.Response(200, text="<html>"), "The platform gave an answer that cannot be read."),
    (httpx.Response(200, json=[]), "The platform gave an answer that cannot be read."),
    (httpx.Response(200, json={"formula": 1}), "The platform gave an answer that cannot be read."),
    (httpx.Response(200, content=b"x" * 2_000_000), "The platform gave an answer that cannot be read."),
    (httpx.Response(302, headers={"location": "http://evil.test"}), "The platform failed at these figures."),
]


@pytest.mark.parametrize(("reply", "sentence"), BAD, ids=[sentence for _, sentence in BAD])
async def test_a_panel_that_fails_says_so_in_its_place_and_the_rest_stands(
    web: Running, reply: Reply, sentence: str
) -> None:
    web.platform.replies["/v1/metrics/revenue"] = reply
    html = await _page(web)
    section = html.partition('id="revenue" aria-labelledby')[2].partition("</section>")[0]
    assert sentence in section and "a sentence of the gateway" not in html and "evil" not in html
    assert not _figures(html, "revenue") and _figures(html, "overview")["Members"] == "1,000"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Asia/Shanghai\0"])
async def test_a_zone_that_there_is_not_is_no_error_of_ours(web: Running, zone: str) -> None:
    await _page(web)
    web.platform.figures["/v1/metrics/revenue"]["window"] = window(zone=zone)
    assert "The platform gave an answer that cannot be read." in await _page(web)


async def test_where_all_fails_the_page_says_that_the_platform_is_away(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/")
        for path in [path for path in web.platform.figures if "metrics" in path]:
            web.platform.replies[path] = refusal(503)
        answer = await browser.open("/web/")
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        assert "The platform does not answer at the moment." in browser.text


async def test_questions_go_out_side_by_side_but_not_all_at_once(web: Running) -> None:
    web.platform.pause_s = 0.02
    await _page(web)
    assert 2 < web.platform.most_at_once <= PANEL_CALLS_AT_ONCE
    metrics = [str(request.url) for request in web.platform.asked if "metrics" in request.url.path]
    assert len(metrics) == len(set(metrics)) <= CALLS_PER_PAGE


async def test_what_two_panels_want_to_know_is_asked_once() -> None:
    asked: list[str] = []

    async def ask(path: str, parameters: Parameters) -> Answer:
        asked.append(path)
        return Answer(path, community()[path])

    shown = await Fetching(ask, Look(), AUDITOR, "").shown([retention.PANEL, replace(retention.PANEL, name="again")])
    assert [one.panel.name for one in shown if one.view] == ["retention", "again"] and len(asked) == 1


async def test_a_page_asks_no_more_than_its_bound() -> None:
    many = {str(number): Query(f"/v1/{number}") for number in range(CALLS_PER_PAGE + 1)}

    async def ask(path: str, parameters: Parameters) -> Answer:
        return Answer(path, {})

    panel = Panel("many", OPERATORS, lambda look: many, retention.PANEL.view)
    [shown] = await Fetching(ask, Look(), AUDITOR, "").shown([panel])
    assert shown.trouble is not None and shown.trouble.trouble is Trouble.LIMITED


async def test_where_the_zone_is_not_known_yet_one_panel_that_fails_is_still_one(web: Running) -> None:
    web.platform.replies["/v1/metrics/activity"] = refusal(500)
    html = await _page(web)
    assert _figures(html, "overview")["Members"] == "1,000" and html.count('class="complaint"') == 1


async def test_every_question_tells_how_much_time_is_left(web: Running) -> None:
    await _page(web)
    left = [request.headers["grpc-timeout"] for request in web.platform.asked]
    assert all(re.fullmatch(r"\d{1,5}m", one) and int(one[:-1]) <= 13_000 for one in left)


async def test_a_kind_of_interaction_that_is_newer_than_the_pages_is_shown_by_its_own_name(web: Running) -> None:
    web.platform.figures["/v1/metrics/overview"]["interactions"]["<b>boost</b>"] = "5"
    html = await _page(web)
    assert "&lt;b&gt;boost&lt;/b&gt;" in html and "<b>boost" not in html
    assert "<b>boost</b>" in _charts(html)[0]["categories"]


# -- days are those of the platform's zone ----------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("Asia/Shanghai", "1998-06-30T04:00:00Z"),
        ("Pacific/Kiritimati", "1998-06-29T22:00:00Z"),
        ("Pacific/Pago_Pago", "1998-06-30T23:00:00Z"),
        ("UTC", "1998-06-30T12:00:00Z"),
    ],
)
async def test_a_chosen_day_is_a_day_of_the_platforms_zone(web: Running, zone: str, moment: str) -> None:
    for answer in web.platform.figures.values():
        if "window" in answer:
            answer["window"]["time_zone"] = zone
    await _page(web, "/web/?as_of=1998-06-30")
    asked = [request.url for request in web.platform.asked if "metrics" in request.url.path][1:]
    assert {url.params.get("as_of") for url in asked if "/releases/" not in url.path} == {moment}
    assert not any("as_of" in url.params for url in asked if "/releases/" in url.path), "these are of now"


async def test_without_a_day_the_platform_says_what_today_is(web: Running) -> None:
    await _page(web)
    assert not any("as_of" in str(request.url) for request in web.platform.asked)


@pytest.mark.parametrize(
    "told",
    [
        {"days": "0"},
        {"days": "3661"},
        {"days": "-1"},
        {"days": "３０"},
        {"days": "1e2"},
        {"as_of": "1998-6-30"},
        {"as_of": "1998-02-30"},
        {"as_of": "0001-01-01"},
        {"as_of": "9999-12-31"},
        {"as_of": "19980630"},
        {"currency": "CN"},
        {"currency": "<b>"},
    ],
    ids=str,
)
async def test_a_choice_that_cannot_be_is_named(web: Running, told: dict[str, str]) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        answer = await browser.client.get("/web/", params=told)
        [field] = told
        assert answer.status_code == 400 and f"The choice for “{field}” cannot be used." in answer.text


def test_a_look_survives_its_address() -> None:
    for told in ({}, {"days": "90"}, {"as_of": "1998-06-30", "currency": "usd"}):
        look = look_of(told)
        assert look_of(look.fields) == look
    assert Look().query == ""
