"""The pages in a real browser, in front of the whole stack."""

from __future__ import annotations

import csv
import re
import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import pytest
from chromium import Window, executable, fetched, window
from community import Community, Session, rfc3339
from operating import make_account
from playwright.async_api import Route

from lyceum_local.stack import LocalStack
from lyceum_web.panels.charts import Chart, Series, described
from lyceum_web.panels.registry import panels_for
from lyceum_web.site import as_data
from lyceum_web.words.texts import TEXTS
from lyceum_web.words.tongue import Tongue
from lyceum_web.words.values import Raw

AS_OF = datetime(1975, 5, 31, 12, tzinfo=UTC)
ASKED = {"as_of": rfc3339(AS_OF)}
QUERY = "?days=30&as_of=1975-05-31"
MEMBERS, PAYERS, PRICE_MINOR = 20, 4, 12_345
FEWEST_CHARTS: Final = 8
SMALL = {"width": 320, "height": 640}
WEEKS = [Raw("1"), Raw("2")]


@dataclass(frozen=True)
class Data:
    """A community with figures in the past, and who may read them."""

    url: str
    auditor: str
    session: Session


@pytest.fixture(scope="session")
def browser_is_there() -> str:
    """Asked for before the stack: where there is no browser, nothing is started for one."""
    return executable()


@pytest.fixture(scope="module")
def data(browser_is_there: str, stack: LocalStack, community: Community) -> Data:
    importer, dataset = community.importer(), f"w{uuid.uuid4().hex[:8]}"
    tokens = [importer.import_all("members", dataset, _members(dataset))]
    tokens.append(importer.import_all("contents", dataset, [_content()]))
    tokens.append(importer.import_all("interactions", dataset, _views()))
    tokens.append(importer.import_all("orders", dataset, _orders(community, dataset)))
    name = f"a{uuid.uuid4().hex[:16]}"
    make_account(stack, name, "auditor")
    session = community.log_in(name)
    for what in ("overview", "revenue", "activity", "retention"):
        session.get_after(f"/v1/metrics/{what}", tokens, **ASKED)
    return Data(stack.around.public_url, name, session)


def _members(dataset: str) -> list[dict[str, Any]]:
    at = rfc3339(AS_OF - timedelta(days=60))
    roles = ["creator"] + ["consumer"] * (MEMBERS - 1)
    return [
        {"external_id": f"{n}", "username": f"{dataset}-{n}", "role": role, "registered_at": at}
        for n, role in enumerate(roles)
    ]


def _content() -> dict[str, Any]:
    told = {"external_id": "c", "creator_external_id": "0", "title": "t", "kind": "video", "access": "free"}
    return {**told, "published_at": rfc3339(AS_OF - timedelta(days=50))}


def _views() -> list[dict[str, Any]]:
    """Members come back less and less often: each on the first days of the window."""
    return [
        {
            "external_id": f"v{member}-{day}",
            "member_external_id": f"{member}",
            "content_external_id": "c",
            "interaction": {"kind": "view" if day else "like"},
            "occurred_at": rfc3339(AS_OF - timedelta(days=25) + timedelta(days=day)),
        }
        for member in range(1, MEMBERS)
        for day in range(member % 7 + 1)
    ]


def _orders(community: Community, dataset: str) -> list[dict[str, Any]]:
    seller, price = community.member("creator"), {"amount_minor": PRICE_MINOR, "currency": "CNY"}
    product = f"p-{dataset}"
    seller.post("/v1/products", {"product_id": product, "title": "课程", "pricing": "fixed", "price": price})
    told = {"product_id": product, "creator_id": seller.member_id, "list": price, "charged": price}
    at = rfc3339(AS_OF - timedelta(days=5))
    return [
        {"external_id": f"{n}", "member_external_id": f"{n}", "ordered_at": at, **told} for n in range(1, PAYERS + 1)
    ]


async def _nothing_is_wrong(shown: Window) -> None:
    assert shown.wrong == [] and await shown.refused_by_policy() == []


async def test_the_figures_on_the_page_are_those_of_the_gateway(data: Data) -> None:
    async with window(data.url) as shown:
        await shown.log_in(data.auditor, f"/web/{QUERY}")
        overview = data.session.get("/v1/metrics/overview", **ASKED)
        revenue = data.session.get("/v1/metrics/revenue", window_days=30, **ASKED)
        activity = data.session.get("/v1/metrics/activity", window_days=30, **ASKED)
        retention = data.session.get("/v1/metrics/retention", **ASKED)
        assert int(revenue["revenue_minor"]) == PAYERS * PRICE_MINOR
        assert (await shown.figures("overview"))["Members"] == f"{int(overview['members']):,}"
        figures = await shown.figures("revenue")
        assert figures["R, revenue"] == "CN¥493.80" and figures["Members who paid"] == str(PAYERS)
        assert figures["P, conversion"] == f"{revenue['conversion']:.1%}"
        figures = await shown.figures("activity")
        assert float(figures["Interactions per member and day"]) == round(activity["activity_per_day"], 3)
        figures = await shown.figures("retention")
        assert figures["p, kept from one day to the next"] == f"{retention['p']:.1%}" != "0.0%"
        assert figures["L(1)"] == f"{retention['points'][0]['l']:.1%}"
        assert "May 2, 1975 to May 31, 1975" in await shown.page.inner_text("#revenue .told")
        await _nothing_is_wrong(shown)


async def test_figures_on_the_page_are_those_of_the_raw_events(data: Data) -> None:
    """Counted here from what was imported, without any service of ours."""
    async with window(data.url) as shown:
        await shown.log_in(data.auditor, f"/web/{QUERY}")
        by_day: dict[date, set[str]] = defaultdict(set)
        for one in _views():
            by_day[datetime.fromisoformat(one["occurred_at"]).date()].add(one["member_external_id"])
        buyers = {f"{n}" for n in range(1, PAYERS + 1)}
        bought_on = (AS_OF - timedelta(days=5)).date()
        by_day[bought_on] |= buyers
        days = [(AS_OF - timedelta(days=back)).date() for back in range(29, -1, -1)]
        rows = await shown.rows("trend")
        assert [int(row[1]) for row in rows] == [len(by_day[day]) for day in days]
        before = [by_day[day - timedelta(days=1)] & by_day[day] for day in days]
        assert [int(row[3]) for row in rows] == [len(stayed) for stayed in before]
        [paid] = [row for row in await shown.rows("earnings") if row[1] != "0"]
        assert (paid[1], paid[2], paid[5]) == (str(PAYERS), str(PAYERS), f"CN¥{PAYERS * PRICE_MINOR / 100:,.2f}")
        viewers = {one["member_external_id"] for one in _views() if one["interaction"]["kind"] == "view"}
        assert (await shown.rows("quality"))[0][1] == str(len(viewers))
        await _nothing_is_wrong(shown)


async def test_without_scripts_every_figure_is_there_and_nothing_looks_broken(data: Data) -> None:
    async with window(data.url, java_script_enabled=False) as shown:
        await shown.log_in(data.auditor, f"/web/{QUERY}")
        assert await shown.page.locator("table").count() == len(panels_for("auditor"))
        assert not await shown.page.locator("figure.chart").first.is_visible()
        assert "CN¥493.80" in await shown.page.inner_text("#revenue table")
        assert shown.wrong == []


async def test_charts_are_drawn_under_the_policy_and_saved_as_files(data: Data, tmp_path: Path) -> None:
    fetched("echarts.min.js")
    async with window(data.url) as shown:
        await shown.log_in(data.auditor, f"/web/{QUERY}")
        canvases = shown.page.locator("figure.chart .canvas[role=img]")
        await canvases.first.wait_for()
        assert await canvases.count() >= FEWEST_CHARTS
        for at in range(await canvases.count()):
            await canvases.nth(at).hover()  # the tip of a point, where libraries like to write styles
            await shown.page.wait_for_timeout(150)
        label = await shown.page.get_attribute("#revenue .canvas", "aria-label")
        assert label is not None and "Revenue by window" in label and "CN¥493.80" in label
        async with shown.page.expect_download() as download:
            await shown.page.click("#revenue .png")
        saved = await download.value
        assert saved.suggested_filename == "lyceum-revenue-30d-1975-05-31.png"
        await saved.save_as(tmp_path / "chart.png")
        assert (tmp_path / "chart.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert (tmp_path / "chart.png").stat().st_size > 5_000, "not an empty one"
        async with shown.page.expect_download() as download:
            await shown.page.click("#revenue a[download]")
        saved = await download.value
        assert saved.suggested_filename == "lyceum-revenue-30d-1975-05-31.csv"
        await saved.save_as(tmp_path / "table.csv")
        with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
            rows = {row["window"]: row for row in csv.DictReader(file)}
        assert rows["last 30 days"]["r"] == "493.80"
        await _nothing_is_wrong(shown)


KINDS: Final = (
    Chart(
        "line",
        Raw("a"),
        "share",
        [Series(Raw("s"), [0.5, None]), Series(Raw("p"), [0.5, 0.3], [0.5, 0.2], [0.5, 0.4])],
        WEEKS,
    ),
    Chart(
        "bar",
        Raw("b"),
        "money",
        [Series(Raw("s"), [9, 5], [8, 4], [10, 6]), Series(Raw("t"), [1, 2])],
        WEEKS,
        currency="CNY",
    ),
    Chart(
        "heat",
        Raw("c"),
        "share",
        [Series(Raw("<b>2026-01</b>"), [1.0, 0.5]), Series(Raw("2026-02"), [1.0, None])],
        WEEKS,
    ),
    Chart("gauge", Raw("d"), "share", [Series(Raw("s"), [0.73])]),
)


async def test_every_kind_of_chart_is_drawn_under_the_policy(data: Data) -> None:
    fetched("echarts.min.js")
    descriptions = cycle([str(as_data(described(kind, Tongue("en")))) for kind in KINDS])

    async def other_charts(route: Route) -> None:
        answer = await route.fetch()
        page = re.sub(
            r'(<script type="application/json">).*?(</script>)',
            lambda found: found[1] + next(descriptions) + found[2],
            await answer.text(),
        )
        await route.fulfill(response=answer, body=page)

    async with window(data.url) as shown:
        await shown.log_in(data.auditor)
        await shown.page.route("**/web/?*", other_charts)
        await shown.open(f"/web/{QUERY}")
        drawn = shown.page.locator("figure.chart .canvas[role=img]")
        assert await drawn.count() >= len(KINDS)
        for at in range(len(KINDS)):
            await drawn.nth(at).hover()
            await shown.page.wait_for_timeout(100)
        await _nothing_is_wrong(shown)
        await shown.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
        assert await shown.refused_by_policy() == ["style-src-attr"], "the watch is awake"


@pytest.mark.parametrize(
    ("language", "scheme", "viewport"),
    [("en", "light", None), ("zh", "dark", None), ("en", "dark", SMALL), ("zh", "light", SMALL)],
    ids=["English", "Chinese, dark", "phone, dark", "Chinese, phone"],
)
async def test_the_pages_fit_and_are_accessible(
    data: Data, language: str, scheme: Any, viewport: dict[str, int] | None
) -> None:
    source = fetched("axe.min.js").read_text(encoding="utf-8")
    options = {"viewport": viewport} if viewport else {}
    async with window(
        data.url, locale={"en": "en-US", "zh": "zh-CN"}[language], color_scheme=scheme, **options
    ) as shown:
        await shown.open("/web/login")
        assert await shown.axe(source) == [] and await shown.wider_than_the_window_px() <= 0
        await shown.log_in(data.auditor, f"/web/{QUERY}")
        await shown.page.locator("figure.chart canvas").first.wait_for()
        title = await shown.page.inner_text("h1")
        assert title == {"en": "Dashboard", "zh": "仪表盘"}[language]
        assert await shown.axe(source) == [] and await shown.wider_than_the_window_px() <= 0
        colour = await shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[scheme]
        await _nothing_is_wrong(shown)
        await shown.open("/web/nothing")
        assert await shown.axe(source) == [] and await shown.wider_than_the_window_px() <= 0


FOCUSED = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [[...document.querySelectorAll("*")].indexOf(at), seen, at.tagName];
}"""
REACHABLE = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), [tabindex='0']")]
  .filter((one) => one.checkVisibility()).length"""


async def test_everything_is_reached_by_keyboard_in_order_and_seen_to_be(data: Data) -> None:
    async with window(data.url) as shown:
        await shown.log_in(data.auditor, f"/web/{QUERY}")
        await shown.open(f"/web/{QUERY}")
        reachable = await shown.page.evaluate(REACHABLE)
        places: list[int] = []
        for _ in range(reachable * 3):
            await shown.page.keyboard.press("Tab")
            place, seen, tag = await shown.page.evaluate(FOCUSED)
            if tag == "BODY":
                break
            assert seen, tag
            places.append(place)
        assert places == sorted(places) and len(set(places)) == reachable
        await shown.open(f"/web/{QUERY}")
        await shown.page.keyboard.press("Tab")
        await shown.page.keyboard.press("Enter")
        assert await shown.page.evaluate("document.activeElement.id") == "main", "the first link skips to the content"


async def test_the_language_is_changed_by_the_form_and_log_out_ends_it(data: Data) -> None:
    async with window(data.url) as shown:
        await shown.log_in(data.auditor, f"/web/{QUERY}")
        await shown.page.click("button[value=zh]")
        await shown.page.wait_for_selector("h1:has-text('仪表盘')")
        assert "as_of=1975-05-31" in shown.page.url
        assert (await shown.figures("revenue"))["收入 R"] == "¥493.80"
        await shown.page.click("form[action='/web/logout'] button")
        await shown.page.wait_for_selector("h1:has-text('您已退出登录')")
        await shown.open("/web/")
        assert shown.page.url == f"{data.url}/web/login"
        await _nothing_is_wrong(shown)


async def test_a_proxy_that_hides_where_forms_come_from_locks_nobody_out(data: Data) -> None:
    async def hiding(route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        await route.fulfill(response=answer, headers={**answer.headers, "referrer-policy": "no-referrer"})

    async with window(data.url) as shown:
        await shown.page.route("**/web/login*", hiding)
        async with shown.page.expect_request(lambda request: request.method == "POST") as posted:
            await shown.log_in(data.auditor, "/web/login")
        headers = await (await posted.value).all_headers()
        assert headers["origin"] == "null", "so it is with this browser"


async def test_a_creator_sees_their_own_figures_and_a_wrong_password_is_told(data: Data, community: Community) -> None:
    creator = f"m{uuid.uuid4().hex[:16]}"
    registered = {"username": creator, "password": "password123", "role": "creator"}
    community.anonymous().post("/register", registered)
    async with window(data.url) as shown:
        await shown.open("/web/login")
        await shown.page.fill("#username", creator)
        await shown.page.fill("#password", "wrong-wrong")
        await shown.page.click(".main-button")
        await shown.page.wait_for_selector("[role=alert]")
        assert await shown.page.inner_text("#complaint") == "The user name or the password is wrong."
        await shown.log_in(creator)
        titles = await shown.page.locator("h2").all_inner_texts()
        assert titles == [TEXTS[f"{panel.name}.title"].en for panel in panels_for("creator")]
        assert "You have no counted interaction" in await shown.page.inner_text("#own_activity")
