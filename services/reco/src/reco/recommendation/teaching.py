"""The process that learns: follows the tables, teaches the ranker by what members take to, saves what it learned."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from prometheus_client import Counter, Gauge

from reco.model.ranker.ranker import StateRefused
from reco.recommendation.application.learning import LearningCopy
from reco.recommendation.application.live_factors import LiveFactors
from reco.recommendation.states import States

log = logging.getLogger(__name__)

OUTCOMES = Counter("lyceum_reco_outcomes", "What members took to, out of what the model would have recommended.")
SAVED = Gauge("lyceum_reco_learned_saved_timestamp_seconds", "When what was learned was saved last.")
EVERY_S: Final = 1.0
SAVE_EVERY_S: Final = 30.0
FIRST_OUTCOMES: Final = 200_000
"""Where nothing is saved, so much of the newest past teaches the ranker: about ten minutes of one core."""


class Teacher:
    """Teaches the ranker of one copy. One such process is enough; of two, the last to save is what serves."""

    def __init__(self, factors: LiveFactors, states: States) -> None:
        self._factors, self._states = factors, states
        self._saved_at_s = 0.0
        self._went_on, self._first = False, True

    async def run(self) -> None:
        """Learn until cancelled; gives way to other tasks at every second of the past."""
        await self.go_on()
        while True:
            await self.step()
            await asyncio.sleep(EVERY_S)

    async def go_on(self) -> None:
        """Take up what was learned before this process began."""
        try:
            self._went_on = await self._states.load(self._factors.copy.model)
        except StateRefused as refusal:
            log.warning("what was learned does not fit; it is learned again", extra={"reason": str(refusal)})

    async def step(self) -> None:
        """Learn from what is new in the tables. The first time, what a saved state has seen already is taken without
        being learned again."""
        await self._factors.refresh()
        copy = self._factors.copy
        assert isinstance(copy, LearningCopy)  # noqa: S101 - made so by the slice
        before = copy.model.ranker.outcomes
        for _ in copy.learn(0 if self._went_on else FIRST_OUTCOMES):
            await asyncio.sleep(0)
            await self._save_in_time()
        OUTCOMES.inc(copy.model.ranker.outcomes - before)
        await self._save_in_time(now=self._first)
        self._went_on = self._first = False

    async def _save_in_time(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._saved_at_s >= SAVE_EVERY_S:
            await self._states.save(self._factors.copy.model)
            self._saved_at_s = time.monotonic()
            SAVED.set_to_current_time()
