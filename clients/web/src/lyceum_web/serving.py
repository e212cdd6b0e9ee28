"""Runs the site: serves until it is asked to end, then lets go of nobody who has begun."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import uvicorn

from lyceum_web.app import app_of
from lyceum_web.bounds import FINISH_S, KEEP_ALIVE_S
from lyceum_web.site import Site

HEADER_BYTES = 32 * 1024
BACKLOG = 512


class Server(uvicorn.Server):
    """On SIGTERM or SIGINT it says on /web/healthz that it is draining, serves on for `notice_s`, for those who route
    to it to notice, takes no new connections then, finishes what is in flight, and returns."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site
        self._ending: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """In place of uvicorn's own, which ends the process by the signal once it has stopped: this is a clean end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_end)
        yield

    def _asked_to_end(self) -> None:
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        self._site.is_draining = True
        self._site.log.event("draining", notice_s=self._site.settings.drain_notice_s)
        await asyncio.sleep(self._site.settings.drain_notice_s)
        self.should_exit = True


def server_of(site: Site) -> Server:
    """The server of the site, not started."""
    config = uvicorn.Config(
        app_of(site),
        host=site.settings.web_host,
        port=site.settings.web_port,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=FINISH_S,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    return Server(config, site)


async def serve(site: Site) -> None:
    """Serve until the process is asked to end."""
    site.log.event("serving", host=site.settings.web_host, port=site.settings.web_port, charts=site.assets.has_charts)
    try:
        await server_of(site).serve()
    finally:
        await site.http.aclose()
    site.log.event("ended")
