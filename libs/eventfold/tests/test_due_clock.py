"""Due dates under a clock that jumps: no pause lasts longer than it was meant to, by what really passed."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from alarms import ALARM, PACE, Clock, SetAlarm, asked, dates, record, store_of, worker
from house import NOW, House, context

from eventfold import Due, DueHandler, Item
from eventfold.publish import lease as leases
from eventfold.timers.due_worker import DueWorker

JUMP_S = 600.0
PAUSE_S = 30.0
POLL_S = 1.0


class Watch:
    """What really passes, and a wall clock that is set by others; `looked` notes when each look came."""

    def __init__(self) -> None:
        self.wall = Clock()
        self.elapsed_s = 0.0
        self.looked: list[float] = []

    def pass_(self, seconds: float) -> None:
        self.elapsed_s += seconds
        self.wall.pass_(seconds)

    async def handle(self, due: Due) -> Item | None:
        self.looked.append(self.elapsed_s)
        return None  # look again after a pause

    def worker(self, house: House) -> DueWorker:
        return worker(house, self.wall, DueHandler(ALARM, self.handle, PACE), elapsed=lambda: self.elapsed_s)

    async def set_alarm(self, house: House, alarm: str) -> None:
        """Due in `PAUSE_S`, by a server that goes by the same wall clock."""
        at = self.wall.now + timedelta(seconds=PAUSE_S)
        await store_of(house).handle(asked(alarm, SetAlarm(at)), replace(context(), now=self.wall.now))


@pytest.fixture
def watch() -> Watch:
    return Watch()


async def looks(house: House, one: DueWorker, watch: Watch, within_s: float) -> int:
    """How many dates are looked at while so much passes, a look each `POLL_S`."""
    found = 0
    async with await house.connect() as conn:
        lease = await leases.acquire(conn, "due", "one", lease_s=600)
        assert lease
        for _ in range(int(within_s / POLL_S)):
            found += await one.look(conn, lease)
            watch.pass_(POLL_S)
        found += await one.look(conn, lease)
        await leases.release(conn, lease)
    return found


@pytest.mark.parametrize("jump_s", [JUMP_S, -JUMP_S])
async def test_given_a_clock_that_jumps_while_a_pause_runs_then_the_next_look_comes_when_it_was_meant(
    house: House, watch: Watch, jump_s: float
) -> None:
    one = watch.worker(house)
    await watch.set_alarm(house, "a")
    assert await looks(house, one, watch, PAUSE_S) == 1
    watch.wall.pass_(jump_s)
    assert await looks(house, one, watch, PACE.first.total_seconds() + POLL_S) >= 1


async def test_given_a_pause_set_by_a_clock_that_was_ahead_when_it_is_put_right_then_nobody_waits_for_it(
    house: House, watch: Watch
) -> None:
    one = watch.worker(house)
    watch.wall.pass_(JUMP_S)
    await watch.set_alarm(house, "a")
    await looks(house, one, watch, PAUSE_S)
    await watch.set_alarm(house, "b")
    assert watch.looked
    watch.wall.pass_(-JUMP_S)
    before = len(watch.looked)
    await looks(house, one, watch, PACE.longest.total_seconds())
    assert watch.looked[before] - watch.looked[before - 1] <= PACE.at_most(before).total_seconds() + POLL_S
    assert [attempts > 0 for _, _, attempts in await dates(house)] == [True, True]


async def test_given_a_clock_put_back_while_nobody_leads_when_a_successor_begins_then_no_pause_is_longer_than_meant(
    house: House, watch: Watch
) -> None:
    watch.wall.pass_(JUMP_S)
    await watch.set_alarm(house, "looked at")
    await looks(house, watch.worker(house), watch, PAUSE_S)
    await watch.set_alarm(house, "new")
    watch.wall.pass_(-JUMP_S)
    assert await looks(house, watch.worker(house), watch, PAUSE_S + POLL_S) >= 2
    assert all(at <= watch.wall.now + PACE.longest for _, at, _ in await dates(house))


async def test_given_a_right_clock_when_terms_change_then_dates_far_ahead_stay_as_they_are(
    house: House, watch: Watch
) -> None:
    far = NOW + timedelta(days=30)
    await record(store_of(house), "far", SetAlarm(far))
    for _ in range(2):
        await looks(house, watch.worker(house), watch, 2 * POLL_S)
    assert await dates(house) == [("far", far, 0)]


@pytest.mark.parametrize("seed", range(6))
async def test_given_any_jumps_when_time_passes_then_no_look_is_later_than_its_pause(
    house: House, watch: Watch, seed: int
) -> None:
    rng, one = random.Random(seed), watch.worker(house)
    async with await house.connect() as conn:
        lease = await leases.acquire(conn, "due", "one", lease_s=600)
        assert lease
        await watch.set_alarm(house, "a")
        for _ in range(200):
            await one.look(conn, lease)
            if rng.random() < 0.05:
                watch.wall.pass_(rng.choice([JUMP_S, -JUMP_S]))
            watch.pass_(POLL_S)
    assert watch.looked[0] <= 2 * PAUSE_S + POLL_S, "a first pause is begun again at most once"
    for attempt, (earlier, later) in enumerate(zip(watch.looked, watch.looked[1:], strict=False), 1):
        assert later - earlier <= PACE.at_most(attempt).total_seconds() + 2 * POLL_S
