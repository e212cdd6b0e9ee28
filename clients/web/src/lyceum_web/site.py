"""What all requests of one process share, wired in one place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lyceum_web.assets import Assets, assets_of
from lyceum_web.bounds import ZONE_S
from lyceum_web.edge.cookies import Cookies
from lyceum_web.edge.log import Log
from lyceum_web.gateway.client import http_client
from lyceum_web.session.renewing import Remembered, Renewing
from lyceum_web.session.sealing import Seals, seals_in
from lyceum_web.settings import WebSettings

Clock = Callable[[], float]
_ZONE = "zone"


@dataclass
class Site:
    """The parts. `clock` tells seconds since 1970; `is_draining` is set when the process is asked to end."""

    settings: WebSettings
    http: httpx.AsyncClient
    seals: Seals
    cookies: Cookies
    renewing: Renewing
    assets: Assets
    pages: Environment
    log: Log
    clock: Clock
    zones: Remembered[ZoneInfo] = field(init=False)
    is_draining: bool = False

    def __post_init__(self) -> None:
        self.zones = Remembered(1, ZONE_S, self.clock)

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone of the platform's days, where it was told lately."""
        return self.zones.get(_ZONE)

    def believe(self, zone: ZoneInfo) -> None:
        """Remember the zone that an answer told."""
        self.zones.put(_ZONE, zone)


def site_of(
    settings: WebSettings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Clock = time.time,
    log: Log | None = None,
) -> Site:
    """The site of these settings; makes the key of the cookies at the first start. Raises `KeyUnusable`."""
    return Site(
        settings=settings,
        http=http_client(settings.gateway_url, transport),
        seals=seals_in(settings.key_dir),
        cookies=Cookies(settings.is_secure),
        renewing=Renewing(clock),
        assets=assets_of(settings.chart_dir),
        pages=_pages(),
        log=log or Log(),
        clock=clock,
    )


def _pages() -> Environment:
    loader = PackageLoader("lyceum_web", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["as_data"] = as_data
    return made


def as_data(found: Any) -> Markup:
    """JSON for a data block of HTML: nothing in it can end the block. Raises ValueError for NaN."""
    text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - the signs that HTML would see are gone
