"""This process's noise process: started when noise is first needed, started again when it dies, never forked."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter, Histogram

from eventfold.errors import DeadlineExceeded, PeerUnavailable
from metrics.release.noise.frames import DrawnInFork, Noisy, Numbers
from metrics.release.noise.link import Link, NoiseDied

log = logging.getLogger(__name__)

MAX_WAITING: Final = 200
"""Requests that may wait for noise; more are refused."""
MAX_TRIES: Final = 3
"""Processes that may die under one request."""
RESTART_PAUSE_S: Final = 0.5
MAX_RESTART_PAUSE_S: Final = 30.0
"""The pauses grow while no process becomes ready."""
NAME: Final = "noise"

DRAW_SECONDS = Histogram(
    "lyceum_metrics_noise_seconds",
    "From asking for noise until it is there.",
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1, 1.0, 10.0),
)
STARTS = Counter("lyceum_metrics_noise_starts", "Noise processes that were started.")


class NoiseProcess:
    """Draws noise in a process of its own. It belongs to the process and the event loop in which it is first used; a
    forked child is refused, and makes its own if it needs noise."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._link: Link | None = None
        self._opening = asyncio.Lock()
        self._waiting = 0
        self._closed = False

    async def draw(self, asked: Sequence[Numbers], deadline_s: float) -> list[Noisy]:
        """The numbers with noise, within `deadline_s`. Raises `DrawnInFork`, `NoiseRefused`, `DeadlineExceeded`, and
        `PeerUnavailable` if too many wait, or the process dies again and again."""
        if os.getpid() != self._pid:
            raise DrawnInFork
        if self._waiting >= MAX_WAITING:
            raise PeerUnavailable(NAME, f"{MAX_WAITING} requests wait for it")
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline_s):
                with DRAW_SECONDS.time():
                    return await self._drawn(asked)
        except TimeoutError as timeout:
            raise DeadlineExceeded("noise") from timeout
        finally:
            self._waiting -= 1

    async def _drawn(self, asked: Sequence[Numbers]) -> list[Noisy]:
        for _ in range(MAX_TRIES):
            try:
                return await (await self.link()).ask(asked)
            except NoiseDied:
                continue
        raise PeerUnavailable(NAME, f"its process died {MAX_TRIES} times")

    async def link(self) -> Link:
        """The present link, or a new one in the place of one that has ended. Raises `NoiseDied`."""
        async with self._opening:
            if self._closed:
                raise PeerUnavailable(NAME, "this process is being stopped")
            if self._link is None or self._link.ended.is_set():
                await self._leave()
                self._link = await Link.open()
                STARTS.inc()
            return self._link

    @property
    def present(self) -> Link | None:
        """The link, if one was opened and not yet replaced."""
        return self._link

    async def run(self) -> None:
        """Keep a process ready, so that no caller waits for its start. Until cancelled."""
        pause_s = RESTART_PAUSE_S
        while True:
            try:
                link = await self.link()
                pause_s = RESTART_PAUSE_S
                await link.ended.wait()
            except NoiseDied as failure:
                pause_s = min(MAX_RESTART_PAUSE_S, 2 * pause_s)
                log.warning("no noise process", extra={"after_s": pause_s, "reason": str(failure)})
            await asyncio.sleep(pause_s)

    async def aclose(self) -> None:
        """End the process; from here on nothing is drawn."""
        async with self._opening:
            self._closed = True
            await self._leave()

    async def _leave(self) -> None:
        link, self._link = self._link, None
        if link:
            await link.close()
