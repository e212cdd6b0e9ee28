"""A real browser, where this machine has one."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from community import PASSWORD
from playwright.async_api import BrowserContext, Page, async_playwright

from lyceum_local import web
from lyceum_local.settings import StackSettings

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WAIT_MS = 10_000
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage")
"""Whoever runs tests as root has no sandbox, and containers have little shared memory."""
WATCH = """
window.refusedByPolicy = [];
document.addEventListener("securitypolicyviolation", (event) => window.refusedByPolicy.push(event.violatedDirective));
"""


def executable() -> str:
    """The path of the browser: LYCEUM_CHROMIUM, else the first that is installed. Skips where there is none."""
    found = os.environ.get("LYCEUM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on this machine, so the pages were not looked at in a browser (Debian: chromium)")
    return found


def fetched(name: str) -> Path:
    """A file that `make setup` fetched for the pages. Skips where it could not."""
    file = web.chart_dir(StackSettings().cache_dir) / name
    if not file.exists():
        pytest.skip(f"{name} was not fetched, so this was not tested: make setup, with npm installed")
    return file


@dataclass
class Window:
    """A window of the browser with all that went wrong in it."""

    page: Page
    context: BrowserContext
    url: str
    wrong: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path, wait_until="load")

    async def log_in(self, name: str, path: str = "/web/") -> None:
        """Through the form, to which `path` leads whoever is not logged in."""
        await self.open(path)
        await self.page.fill("#username", name)
        await self.page.fill("#password", PASSWORD)
        await self.page.click(".main-button")
        await self.page.wait_for_selector(".panels")

    async def figures(self, panel: str) -> dict[str, str]:
        """The large figures of a panel by their names, as they are shown."""
        script = """(all) => all.map((one) => [one.querySelector("dt").innerText, one.querySelector("dd").innerText])"""
        pairs = await self.page.eval_on_selector_all(f"#{panel} .figures div", script)
        return {name: " ".join(value.split()) for name, value in pairs}

    async def rows(self, panel: str) -> list[list[str]]:
        """The cells of a panel's table, row by row."""
        script = """(all) => all.map((row) => [...row.children].map((cell) => cell.innerText.trim()))"""
        found: list[list[str]] = await self.page.eval_on_selector_all(f"#{panel} tbody tr", script)
        return found

    async def axe(self, source: str) -> list[str]:
        """What is seriously or critically wrong for people with disabilities."""
        await self.page.evaluate(source)
        found: dict[str, Any] = await self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{one['id']}: {[node['html'] for node in one['nodes']][:3]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]

    async def wider_than_the_window_px(self) -> int:
        return int(await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    async def refused_by_policy(self) -> list[str]:
        return list(await self.page.evaluate("window.refusedByPolicy"))


@contextlib.asynccontextmanager
async def window(url: str, **options: Any) -> AsyncIterator[Window]:
    """A new browser with one window; `options` are those of a context. Skips where there is no browser."""
    path = executable()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        context = await browser.new_context(
            **{"locale": "en-US", "viewport": {"width": 1280, "height": 900}, **options}
        )
        context.set_default_timeout(WAIT_MS)
        await context.add_init_script(WATCH)
        made = Window(await context.new_page(), context, url)
        made.page.on("pageerror", lambda error: made.wrong.append(str(error)))
        made.page.on("console", lambda line: made.wrong.append(line.text) if line.type == "error" else None)
        made.page.on("requestfailed", lambda request: made.wrong.append(f"{request.url} failed"))
        made.page.on("request", lambda request: _foreign(made, request.url))
        try:
            yield made
        finally:
            await browser.close()


def _foreign(made: Window, url: str) -> None:
    if not url.startswith((f"{made.url}/", "data:", "blob:")):
        made.wrong.append(f"{url} was asked for")
