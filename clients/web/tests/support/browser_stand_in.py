"""What a browser does, as far as these pages need it: keeps cookies, opens pages, sends their forms."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
from fake_platform import PASSWORD, FakePlatform

from lyceum_web.app import app_of
from lyceum_web.edge.log import Log
from lyceum_web.settings import WebSettings
from lyceum_web.site import Site, site_of

PUBLIC = "http://lyceum.test"


@dataclass
class Clock:
    """A clock that tests set."""

    now: float = 1_774_958_400.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Running:
    """A site with its fake platform, and what it logs."""

    site: Site
    platform: FakePlatform
    clock: Clock
    lines: list[str]
    public: str

    @contextlib.asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[Browser]:
        transport = httpx.ASGITransport(app=app_of(self.site))
        usual = {"accept-language": "en", "x-lyceum-client": "203.0.113.7"}
        async with httpx.AsyncClient(transport=transport, base_url=self.public, headers=usual | headers) as client:
            yield Browser(client)

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def running(folder: Path, platform: FakePlatform | None = None, public: str = PUBLIC, **changes: Any) -> Running:
    """A site over a fake platform; nothing listens anywhere."""
    platform, clock = platform or FakePlatform(), Clock()
    lines: list[str] = []
    settings = WebSettings(gateway_url="http://gateway.test", public_url=public, key_dir=folder / "keys", **changes)
    site = site_of(settings, transport=platform.transport(), clock=clock, log=Log(lines.append))
    return Running(site, platform, clock, lines, public)


@dataclass
class Browser:
    """One browser."""

    client: httpx.AsyncClient
    page: httpx.Response = field(default_factory=lambda: httpx.Response(204))

    async def open(self, path: str) -> httpx.Response:
        self.page = await self.client.get(path)
        return self.page

    async def send(
        self, action: str, headers: dict[str, str] | None = None, /, **changes: str | None
    ) -> httpx.Response:
        """The form of this page with this action, filled in. None takes a field away."""
        fields = {**form_fields(self.page.text, action), **changes}
        told = {name: value for name, value in fields.items() if value is not None}
        self.page = await self.client.post(action, data=told, headers=headers or {})
        return self.page

    async def log_in(self, username: str = "ada", password: str = PASSWORD, path: str = "/web/login") -> httpx.Response:
        await self.open(path)
        return await self.send("/web/login", username=username, password=password)

    @property
    def text(self) -> str:
        return text_of(self.page.text)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._inside: dict[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = self.forms.setdefault(found.get("action", ""), {})
        elif tag == "input" and self._inside is not None and found.get("type") == "hidden":
            self._inside[found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None


def form_fields(html: str, action: str) -> dict[str, str]:
    parser = _Forms()
    parser.feed(html)
    return parser.forms.get(action, {})


def text_of(html: str) -> str:
    """What a reader sees, roughly: without scripts and tags, with single spaces."""
    without = re.sub(r"<script.*?</script>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without)).strip()
