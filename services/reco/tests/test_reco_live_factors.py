"""Callers that want the newest share readings of the tables, and each gets what was committed before its call."""

from __future__ import annotations

import asyncio
from typing import cast

import numpy as np
import pytest

from eventfold.reading.following import Mark
from reco.model.model import Model
from reco.model.settings import Settings
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.live_factors import LiveFactors, Look
from reco.recommendation.application.pairs import Bounds


class Held:
    """Tables whose readings begin at once and end when they are let go."""

    def __init__(self) -> None:
        self.committed = self.seen = 0
        self.readings = 0
        self.go = asyncio.Semaphore(0)
        self.fails = False

    async def read_changes(self, last: Mark | None, copy: Copy) -> Look:
        self.readings += 1
        committed = self.committed
        await self.go.acquire()
        if self.fails:
            raise ConnectionError
        self.seen = committed
        return Look(cast(Mark, object()), {}, copy)


def live(tables: Held) -> LiveFactors:
    copy = Copy(Bounds(10, 10, 10), lambda: Model(Settings(parts=("popular",), replay=1), np.random.default_rng(0)))
    return LiveFactors(tables, copy)


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_given_many_callers_when_they_refresh_at_once_then_two_readings_serve_all_of_them() -> None:
    tables = Held()
    factors = live(tables)
    first = asyncio.create_task(factors.refresh())
    await turns()
    tables.committed = 7
    later = [asyncio.create_task(factors.refresh()) for _ in range(50)]
    await turns()
    tables.go.release()
    await first
    assert (tables.seen, any(one.done() for one in later)) == (0, False), "the first reading began before the commit"
    tables.go.release()
    await asyncio.gather(*later)
    assert (tables.seen, tables.readings) == (7, 2)


async def test_given_a_caller_that_leaves_when_others_wait_with_it_then_they_get_their_answer() -> None:
    tables = Held()
    factors = live(tables)
    leaving, staying = (asyncio.create_task(factors.refresh()) for _ in range(2))
    await turns()
    leaving.cancel()
    tables.go.release()
    await staying
    assert leaving.cancelled() or leaving.done()
    assert tables.readings == 1


async def test_given_a_reading_that_fails_when_several_wait_then_all_are_told_and_the_next_reads_again() -> None:
    tables = Held()
    factors = live(tables)
    tables.fails = True
    waiting = [asyncio.create_task(factors.refresh()) for _ in range(3)]
    await turns()
    tables.go.release()
    for one in waiting:
        with pytest.raises(ConnectionError):
            await one
    tables.fails = False
    tables.go.release()
    await factors.refresh()
    assert tables.readings == 2
