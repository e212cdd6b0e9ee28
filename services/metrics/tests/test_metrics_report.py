"""`metrics report`: the same figures as the service answers, on a page and on paper, in both languages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from metrics_facts import did, ordered, published, registered, some_facts
from metrics_house import MetricsHouse, metrics_house

from lyceum.metrics.v1 import activity_pb2, revenue_pb2
from metrics.report import texts
from metrics.report.document import Chart, Report, Section, Series, Table
from metrics.report.page import html
from metrics.report.pdf import pdf

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONTH, LAST = "2025-11", datetime(2025, 11, 30, 12, tzinfo=UTC)
WITHIN_S = 120


class Cells(HTMLParser):
    """The cells of a page's tables, by caption, row by row; and what a page must not have."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: set[str] = set()
        self._caption, self._open = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._open = tag if tag in ("caption", "td", "th") else ""
        if tag == "tr":
            self.tables[self._caption].append([])
        elif self._open in ("td", "th"):
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "caption":
            self._caption = data
            self.tables[data] = []
        elif self._open:
            self.tables[self._caption][-1][-1] += data


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[MetricsHouse]:
    async with metrics_house(postgres_url, tmp_path) as one:
        yield one


def told(house: MetricsHouse, tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": house.url,
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "KEY_DIR": str(tmp_path),
        "METRICS_ZONE": "Asia/Shanghai",
        "LYCEUM_PROFILE": "local",
    }


def run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "metrics", "report", *arguments]
    environment = os.environ | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WITHIN_S, check=False)


def page_of(done: subprocess.CompletedProcess[str]) -> str:
    return Path(done.stdout.splitlines()[0]).read_text(encoding="utf-8")


async def test_a_month_of_a_creator_as_the_service_answers_it(house: MetricsHouse, tmp_path: Path) -> None:
    await house.hear(some_facts(4, 400, datetime(2025, 12, 3, tzinfo=UTC), 90))
    done = run(told(house, tmp_path), "--creator", "creator1", "--month", MONTH, "--to", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    page, paper = (Path(line) for line in done.stdout.splitlines())
    assert paper.read_bytes().startswith(b"%PDF-")
    tables = Cells(page.read_text(encoding="utf-8")).tables
    trend = activity_pb2.GetActivityTrendRequest(creator_id="creator1", periods=30)
    trend.as_of.FromDatetime(LAST)
    days = (await house.asked(trend))["periods"]
    expected = [[day["first_day"], f"{int(day['active']):,}", f"{int(day['new_members']):,}"] for day in days]
    assert [row[:3] for row in tables["Activity"][1:]] == expected
    revenue = revenue_pb2.GetRevenueTrendRequest(creator_id="creator1", period="day", periods=30)
    revenue.as_of.FromDatetime(LAST)
    paid = [day for day in (await house.asked(revenue))["periods"] if day["orders"] != "0"]
    assert paid
    assert [(row[0], row[5]) for row in tables["Revenue (CNY)"][1:]] == [
        (day["first_day"], f"{int(day['charged_minor']) / 100:,.2f}") for day in paid
    ]


async def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing(house: MetricsHouse, tmp_path: Path) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)
    facts = [registered("m1", now), published("<script>x</script>", now), did("rate", "m1", now, "<script>x</script>")]
    await house.hear([*facts, *ordered("o1", "m1", 100, now)])
    month = f"{now.astimezone(SHANGHAI):%Y-%m}"
    done = run(told(house, tmp_path), "--all", "--month", month, "--language", "zh", "--to", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    page = page_of(done)
    assert "script" not in Cells(page).tags and "&lt;script&gt;" in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert 'lang="zh-CN"' in page and "本月尚未结束" in page


async def test_an_empty_month_says_so(house: MetricsHouse, tmp_path: Path) -> None:
    done = run(told(house, tmp_path), "--all", "--month", MONTH, "--to", str(tmp_path))
    assert done.returncode == 0, done.stderr
    page = page_of(done)
    assert "There is not enough data yet." in page and "nan" not in page.lower().replace("nance", "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--all", "--month", "2025-13"), "a month is written as 2026-03"),
        (("--all", "--month", "2999-01"), "has not begun"),
        (("--all", "--month", "0001-01"), "lies before 1970"),
        (("--all", "--month", MONTH, "--currency", "yuan"), "no currency of ISO 4217"),
        (("--month", MONTH), "one of the arguments --creator --all is required"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_sentence(
    house: MetricsHouse, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    done = run(told(house, tmp_path), *arguments, "--to", str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_without_settings_it_says_which_are_missing(tmp_path: Path) -> None:
    done = run({}, "--all", "--month", MONTH, "--to", str(tmp_path))
    assert done.returncode == 2 and "DATABASE_URL" in done.stderr and "Traceback" not in done.stderr


def test_every_text_exists_in_both_languages() -> None:
    for key, both in texts._TEXTS.items():
        assert len(both) == len(texts.LANGUAGES) and all(both), key
        assert set(re.findall(r"{\w+}", both[0])) == set(re.findall(r"{\w+}", both[1])), key


def test_charts_hold_gaps_nothing_and_one_value() -> None:
    chart = [
        Chart("lines", ["1", "2", "3"], [Series("a", [1.0, None, 3.0]), Series("b", [])], "gap"),
        Chart("bars", [], [], "nothing"),
        Chart("heat", ["0"], [Series("x", [0.5])], "one"),
        Chart("lines", ["1"], [Series("零", [0.0])], "zero"),
    ]
    report = Report(
        "报告", "zh", ["关于"], [Section("t", "d", chart=one, table=Table("c", ["h"], [])) for one in chart]
    )
    assert html(report).count("<svg") == len(chart)
    assert pdf(report).startswith(b"%PDF-")
    assert pdf(report) == pdf(report), "the same report is the same file"
