"""Tables as files."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime

import pytest
from browser_stand_in import Running

from lyceum_web.panels.exporting import as_csv
from lyceum_web.panels.panel import Table, Told, View
from lyceum_web.words.tongue import Tongue
from lyceum_web.words.values import Count, Day, Label, Money, Rate, Raw, Value


async def _file(web: Running, path: str, username: str = "ada") -> tuple[str, list[dict[str, str]]]:
    async with web.browser() as browser:
        await browser.log_in(username)
        answer = await browser.open(path)
        assert answer.status_code == 200 and answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        return answer.headers["content-disposition"], list(csv.DictReader(io.StringIO(answer.text)))


async def test_the_file_has_the_figures_of_the_table_as_programs_read_them(web: Running) -> None:
    name, rows = await _file(web, "/web/panels/revenue.csv?days=30")
    assert name == 'attachment; filename="lyceum-revenue-30d-2026-03-31.csv"'
    assert rows[1] == {
        "window": "last 30 days",
        "r": "10000.00",
        "n": "1000",
        "c": "100.00",
        "p": "0.1",
        "payers": "100",
        "currency": "CNY",
        "as_of": "2026-03-31T12:00:00+00:00",
        "time_zone": "Asia/Shanghai",
    }


@pytest.mark.parametrize(
    ("panel", "username", "rows"),
    [("overview", "ada", 7), ("activity", "ada", 4), ("retention", "ada", 3), ("own_activity", "creator", 4)],
)
async def test_every_panel_has_a_file(web: Running, panel: str, username: str, rows: int) -> None:
    _, found = await _file(web, f"/web/panels/{panel}.csv", username)
    assert len(found) == rows


async def test_the_name_of_a_file_is_the_same_for_the_same_question(web: Running) -> None:
    names = {(await _file(web, "/web/panels/activity.csv?days=7&as_of=1998-06-30"))[0] for _ in range(2)}
    assert names == {'attachment; filename="lyceum-activity-7d-1998-06-30.csv"'}


async def test_a_panel_of_another_role_has_no_file(web: Running) -> None:
    async with web.browser() as browser:
        assert (await browser.open("/web/panels/revenue.csv")).status_code == 401
        await browser.log_in("creator")
        asked = len(web.platform.asked)
        assert (await browser.open("/web/panels/revenue.csv")).status_code == 404
        assert len(web.platform.asked) == asked


def _csv(*values: Value) -> str:
    told = Told("", None, _view_time(), {})
    columns = tuple((f"c{at}", Label("col.value")) for at in range(len(values)))
    return as_csv(View([], Table(columns, [list(values)]), told), Tongue("en"))


def _view_time() -> datetime:
    return datetime(2026, 3, 31, tzinfo=UTC)


def test_a_day_is_written_as_programs_read_it() -> None:
    [row] = list(csv.reader(io.StringIO(_csv(Day(date(2026, 3, 1))))))[1:]
    assert row[0] == "2026-03-01"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "＝1", "=cmd|' /C calc'!A0"])
def test_no_text_of_a_file_is_run_by_a_spreadsheet(text: str) -> None:
    [row] = list(csv.reader(io.StringIO(_csv(Raw(text)), newline="")))[1:]
    assert row[0] == f"'{text}"


def test_a_negative_number_stays_a_number() -> None:
    [row] = list(csv.reader(io.StringIO(_csv(Count(-5), Rate(-0.5), Money(-150, "USD")))))[1:]
    assert row[:3] == ["-5", "-0.5", "-1.50"]


def test_lines_end_and_cells_are_quoted_as_rfc_4180_says() -> None:
    text = _csv(Raw('a "b", c\nd'))
    assert text == 'c0,currency,as_of,time_zone\r\n"a ""b"", c\nd",,2026-03-31T00:00:00+00:00,\r\n'
