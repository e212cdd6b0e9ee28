"""Every text exists in both languages, every text that pages use exists, and none is left over."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from browser_stand_in import Running
from fake_platform import refusal

import lyceum_web
from lyceum_web.errors import Trouble
from lyceum_web.panels.registry import PANELS
from lyceum_web.words import member_texts, money_texts, page_texts
from lyceum_web.words.choosing import tongue_for
from lyceum_web.words.text import Text
from lyceum_web.words.texts import TEXTS
from lyceum_web.words.tongue import LANGUAGES, Tongue
from lyceum_web.words.values import Count, Day, Missing, Money, Rate, Share, Value

ROOT = Path(lyceum_web.__file__).parent
GAP = re.compile(r"\{(\w+)\}")
HAN = re.compile(r"[\u4e00-\u9fff]")
SAME = {"brand", "retention.after", "retention.l"}
"""Texts that need no Chinese characters."""
QUOTED = re.compile(r'"([a-z_]+(?:\.[a-z_]+)+|[a-z_]+)"')


def _used() -> set[str]:
    """Keys in quotes anywhere in code and templates, and those that are put together out of names."""
    files = [file for file in (*ROOT.rglob("*.py"), *ROOT.rglob("*.html")) if file.name != "texts.py"]
    quoted = {key for file in files for key in QUOTED.findall(file.read_text(encoding="utf-8"))}
    panels = {f"{panel.name}.{part}" for panel in PANELS for part in ("title", "about", "empty")}
    roles = {f"role.{role}" for role in ("admin", "auditor", "importer", "creator", "consumer")}
    kinds = {f"kind.{kind}" for kind in ("view", "like", "comment", "share", "rate", "complete")}
    overview = {f"overview.{name}" for name in ("members", "contents", "orders_placed", "orders_paid")}
    return quoted | panels | roles | kinds | overview | {f"trouble.{trouble}" for trouble in Trouble}


@pytest.mark.parametrize("key", TEXTS)
def test_a_text_is_there_in_both_languages_with_the_same_gaps(key: str) -> None:
    text = TEXTS[key]
    assert all(part.strip() for part in text)
    assert sorted(GAP.findall(text.en)) == sorted(GAP.findall(text.zh))
    assert not HAN.search(text.en)
    assert HAN.search(text.zh) or key in SAME or not re.search("[A-Za-z]", text.zh)


@pytest.mark.parametrize("key", TEXTS)
def test_no_text_is_left_over(key: str) -> None:
    assert key in _used()


def test_every_text_of_a_template_is_there() -> None:
    for file in ROOT.rglob("*.html"):
        for key in re.findall(r'\bt\("([^"]+)"', file.read_text(encoding="utf-8")):
            assert key in TEXTS or key == "role.", (file.name, key)


def test_every_label_of_the_code_is_there() -> None:
    for file in ROOT.rglob("*.py"):
        for key in re.findall(r'(?:Label|tongue\.text)\("([^"{}]+)"', file.read_text(encoding="utf-8")):
            assert key in TEXTS, (file.name, key)


def test_the_parts_put_together_are_there() -> None:
    names = {panel.name for panel in PANELS}
    assert {key for key in _used() if "." in key and key.partition(".")[0] in names} <= set(TEXTS)
    assert {f"trouble.{trouble}" for trouble in Trouble} <= set(TEXTS)


@pytest.mark.parametrize(
    ("chosen", "accepted", "expected"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "zh-TW", "zh"),
        ("", "fr,de;q=0.9", "en"),
        ("", "fr,en;q=0.3,zh;q=0.4", "zh"),
        ("", "zh;q=0,en;q=0.1", "en"),
        ("", "zh;q=high, ;;, en", "en"),
        ("en", "zh", "en"),
        ("zh", "en", "zh"),
        ("../../etc", "zh", "zh"),
    ],
)
def test_a_browser_gets_what_was_chosen_or_else_what_it_prefers(chosen: str, accepted: str, expected: str) -> None:
    assert tongue_for(chosen, accepted).language == expected


@pytest.mark.parametrize(
    ("value", "en", "zh"),
    [
        (Count(1_000_000), "1,000,000", "1,000,000"),
        (Day(date(2026, 3, 1)), "Mar 1, 2026", "2026年3月1日"),
        (Rate(1 / 3), "0.333", "0.333"),
        (Rate(0.0000123), "0.000012", "0.000012"),
        (Rate(0.0), "0", "0"),
        (Share(0.1), "10.0%", "10.0%"),
        (Share(0.0001), "<0.1%", "<0.1%"),
        (Share(0.0), "0.0%", "0.0%"),
        (Money(1_000_000, "CNY"), "CN¥10,000.00", "¥10,000.00"),
        (Money(1_000_000, "JPY"), "¥1,000,000", "JP¥1,000,000"),
        (Money(1_234, "KWD"), "KWD1.234", "KWD1.234"),
        (Money(-150, "USD"), "-$1.50", "-US$1.50"),
        (Money(9604.92, "USD"), "$96.05", "US$96.05"),
        (Money(5, "ABC"), "ABC0.05", "ABC0.05"),
        (Missing(), "not enough data yet", "数据不足"),
    ],
)
def test_values_are_written_as_readers_of_the_language_write_them(value: Value, en: str, zh: str) -> None:
    shown = [Tongue(language).shown(value).replace("\xa0", "") for language in LANGUAGES]
    assert shown == [en, zh]


async def test_the_form_changes_the_language_and_nothing_else(web: Running) -> None:
    async with web.browser() as browser:
        await browser.log_in()
        await browser.open("/web/?days=90&currency=USD")
        answer = await browser.send("/web/language", language="zh")
        assert (answer.status_code, answer.headers["location"]) == (303, "/web/?days=90&currency=USD")
        page = await browser.open(answer.headers["location"])
        assert page.headers["content-language"] == "zh-CN" and 'lang="zh-CN"' in page.text
        assert "仪表盘" in browser.text and "已登录：审计员。" in browser.text and "Dashboard" not in browser.text


@pytest.mark.parametrize(
    "changes", [{"language": "fr"}, {"language": "zh", "page": "//evil.test"}, {"language": "zh", "days": "0"}]
)
async def test_a_choice_that_there_is_not_is_refused(web: Running, changes: dict[str, str]) -> None:
    async with web.browser() as browser:
        await browser.open("/web/login")
        answer = await browser.send("/web/language", **changes)
        assert answer.status_code == 400 and "cannot be used" in browser.text
        assert "fr" not in browser.client.cookies.values()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_page_is_whole_in_each_language(web: Running, language: str) -> None:
    """Gaps are filled, and no text of the other language is among ours."""
    async with web.browser(**{"accept-language": language}) as browser:
        await browser.log_in(password="wrong")
        texts = [browser.text]
        await browser.log_in()
        for path in ("/web/", "/web/login", "/web/nothing", "/web/?days=x"):
            await browser.open(path)
            texts.append(browser.text)
        web.platform.replies["/v1/metrics/overview"] = refusal(429)
        web.platform.replies["/v1/metrics/revenue"] = refusal(400, "currency")
        await browser.open("/web/")
        texts.append(browser.text)
    for text in texts:
        assert not GAP.search(text)
        for key, both in TEXTS.items():
            other = both.zh if language == "en" else both.en
            assert key in SAME or _is_common(both, language) or other not in text, key


def _is_common(both: Text, language: str) -> bool:
    """Short English words stand in formulas and names, which are not translated."""
    return language == "zh" and len(both.en) < 12


def test_a_text_stands_in_one_module_only() -> None:
    assert len(TEXTS) == sum(len(module.TEXTS) for module in (member_texts, money_texts, page_texts))
