"""The process that learns: follows the tables, teaches the ranker by what members take to, saves what it learned."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from prometheus_client import Counter, Gauge

from reco.model.state import StateRefused
from reco.recommendation.application.learning import LearningCopy
from reco.recommendation.application.live_factors import LiveFactors
from reco.recommendation.states import State, States, TrainedElsewhere
from reco.training.factors import FactorsRefused

log = logging.getLogger(__name__)

OUTCOMES = Counter("lyceum_reco_outcomes", "What members took to, out of what the model would have recommended.")
SAVED = Gauge("lyceum_reco_learned_saved_timestamp_seconds", "When what was learned was saved last.")
CHOICES = Counter("lyceum_reco_choices", "What members took to out of an answer that they were shown.")
OFFERS = Gauge("lyceum_reco_offers_waiting", "Answers in memory from which something may still be taken.")
EVERY_S: Final = 1.0
SAVE_EVERY_S: Final = 30.0
FIRST_OUTCOMES: Final = 200_000
"""Where nothing is saved, so much of the newest past teaches the ranker: about ten minutes of one core."""
FIRST_OFFERS: Final = 20_000
"""And so many of the newest answers: about a minute."""
STEP_OUTCOMES: Final = 500
"""Of what came since the last step, so much of the newest teaches the ranker: some seconds. Where more comes than can
be learned from, the rest is only taken."""
STEP_OFFERS: Final = 300
"""Of the answers since the last step, so many of the newest are kept for what is taken of them: about a second."""


class Teacher:
    """Teaches the model of one copy. One such process is enough; of two, the last to save is what serves."""

    def __init__(self, factors: LiveFactors, states: States, trained: TrainedElsewhere) -> None:
        self._factors, self._states, self._trained = factors, states, trained
        self._saved_at_s = 0.0

    async def run(self) -> None:
        """Learn until cancelled; gives way to other tasks at every second of the past, and rests as long as it worked:
        what it shares a machine with goes first."""
        await self.begin()
        took_s = 0.0
        while True:
            await asyncio.sleep(max(EVERY_S, took_s))
            began_s = time.monotonic()
            await self.step()
            took_s = time.monotonic() - began_s

    async def begin(self) -> None:
        """Take what the tables hold. Where something was learned before, go on from there; else learn from the newest
        `FIRST_OUTCOMES`. Answers that waited when the process ended are forgotten: how they looked is not known."""
        await self._factors.refresh()
        await self._take_up()
        state = await self._saved()
        await (self._learn(0, 0) if state else self._learn(FIRST_OUTCOMES, FIRST_OFFERS))
        if state:
            self._factors.copy.model.from_bytes(state.body)
            self._states.version = state.version
        else:
            await self._save()

    async def step(self) -> None:
        """Learn from what is new in the tables, and save in time."""
        await self._factors.refresh()
        await self._take_up()
        await self._learn(STEP_OUTCOMES, STEP_OFFERS)

    async def _take_up(self) -> None:
        """The vectors that servers use, too: the ranker learns how far to trust them."""
        try:
            await self._trained.load(self._factors.copy.model)
        except FactorsRefused as refusal:
            log.warning("what was trained does not fit this build", extra={"reason": str(refusal)})

    async def _saved(self) -> State | None:
        """The newest state, if it fits."""
        try:
            if state := await self._states.newest():
                self._factors.copy.model.from_bytes(state.body)
        except StateRefused as refusal:
            log.warning("what was learned does not fit; it is learned again", extra={"reason": str(refusal)})
            return None
        return state

    async def _learn(self, outcomes: int, offers: int) -> None:
        copy = self._factors.copy
        assert isinstance(copy, LearningCopy)  # noqa: S101 - made so by the slice
        before, chosen = copy.model.ranker.outcomes, copy.model.offers.chosen
        for _ in copy.learn(outcomes, offers):
            await asyncio.sleep(0)
            if time.monotonic() - self._saved_at_s >= SAVE_EVERY_S:
                await self._save()
        choices = copy.model.offers.chosen - chosen
        OUTCOMES.inc(copy.model.ranker.outcomes - before - choices)
        CHOICES.inc(choices)
        OFFERS.set(len(copy.model.offers))

    async def _save(self) -> None:
        await self._states.save(self._factors.copy.model)
        self._saved_at_s = time.monotonic()
        SAVED.set_to_current_time()
