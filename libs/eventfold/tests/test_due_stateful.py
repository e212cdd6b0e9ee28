"""Any interleaving of setting, moving, cancelling, time, looks, deaths and zombies has one effect for each deadline.

Store and workers are the real ones over a real database. A look stands still between taking and recording, so that the
machine and not the clock decides what happens meanwhile. The oracle reads the recorded events alone: the decider of
alarms accepts everything, so nothing but the mechanism keeps one from ringing twice, early, or after it was cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from alarms import (
    ALARM,
    PACE,
    CancelAlarm,
    Clock,
    DyingStore,
    Killed,
    SetAlarm,
    Touch,
    dying_store_of,
    log_of,
    record,
    ring,
    store_of,
    worker,
)
from house import NOW, House, built
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from eventfold import Connection, Due, DueHandler, Item
from eventfold.errors import LeaseLost
from eventfold.publish import lease as leases
from eventfold.publish.lease import Lease
from eventfold.timers import due_worker

EXAMPLES, STEPS, WORKERS_AT_ONCE, LOOKS_TO_REST = 100, 30, 3, 200
NEVER_S = 3600.0  # leases end when a rule says so, not by the clock
NO_FSYNC = "-csynchronous_commit=off"  # the machine never ends the database
STREAMS_A_LOOK = 2

alarms = st.sampled_from("abc")
picks = st.integers(0, 7)
moments = st.integers(-5, 20)


@dataclass
class Looking:
    """A worker in the middle of a look: dates taken, nothing recorded; it goes on when its gate is opened."""

    conn: Connection
    lease: Lease
    gate: asyncio.Event
    store: DyingStore
    task: asyncio.Task[int]
    handling: list[Due]


class Alarms(RuleBasedStateMachine):
    """One example: an empty installation to which things happen."""

    def __init__(self, house: House, loop: asyncio.Runner) -> None:
        super().__init__()
        self._loop = loop
        self._house = house
        self._clock = Clock()
        self._looking: list[Looking] = []
        self._workers = 0
        self._run(_emptied(house))
        self._store = store_of(house)

    def _run(self, steps: Coroutine[Any, Any, None]) -> None:
        self._loop.run(steps)

    # -- what sets, moves and cancels ------------------------------------------------------------

    @rule(alarm=alarms, in_s=moments)
    def an_alarm_is_set_or_moved(self, alarm: str, in_s: int) -> None:
        self._run(record(self._store, alarm, SetAlarm(self._clock.now + timedelta(seconds=in_s))))

    @rule(alarm=alarms)
    def an_alarm_is_cancelled(self, alarm: str) -> None:
        self._run(record(self._store, alarm, CancelAlarm()))

    @rule(alarm=alarms)
    def something_else_is_recorded(self, alarm: str) -> None:
        self._run(record(self._store, alarm, Touch()))

    @rule(alarm=alarms, in_s=moments)
    def two_writers_collide(self, alarm: str, in_s: int) -> None:
        at = self._clock.now + timedelta(seconds=in_s)
        self._run(_both(record(self._store, alarm, SetAlarm(at)), record(self._store, alarm, CancelAlarm())))

    @rule(seconds=st.sampled_from([1, 5, 90]))
    def time_passes(self, seconds: int) -> None:
        self._clock.pass_(seconds)

    # -- workers ---------------------------------------------------------------------------------

    @rule()
    def a_worker_looks(self) -> None:
        self._run(self._begin(whole=True))

    @rule(falling_due=st.lists(alarms, max_size=2, unique=True), first_expired=st.booleans())
    def a_worker_takes_what_is_due_and_stands_still(self, falling_due: list[str], first_expired: bool) -> None:
        if first_expired:
            self.the_lease_expires()
        for alarm in falling_due:
            self.an_alarm_is_set_or_moved(alarm, 0)
        if len(self._looking) < WORKERS_AT_ONCE:
            self._run(self._begin(whole=False))

    @rule()
    def the_lease_expires(self) -> None:
        """The holder was stopped for too long. It does not know: it is a zombie from now on."""
        self._run(_expire(self._house))

    @rule(which=picks)
    def a_worker_goes_on(self, which: int) -> None:
        if self._looking:
            self._run(self._end(self._looking.pop(which % len(self._looking))))

    @rule(which=picks)
    def a_worker_is_killed_while_it_asks(self, which: int) -> None:
        if self._looking:
            self._run(_crash(self._looking.pop(which % len(self._looking))))

    @rule(which=picks)
    def a_worker_is_killed_before_its_commit(self, which: int) -> None:
        if self._looking:
            killed = self._looking.pop(which % len(self._looking))
            killed.store.dying = True
            self._run(self._end(killed))

    async def _begin(self, whole: bool) -> None:
        self._workers += 1
        conn = await self._house.connect()
        lease = await leases.acquire(conn, "due", f"{self._workers}", NEVER_S)
        if lease is None:
            await conn.close()
            return
        one = self._looking_worker(conn, lease)
        while not one.task.done() and not one.handling:  # noqa: ASYNC110
            await asyncio.sleep(0)  # the loop's turns are what is waited for
        if whole or one.task.done():
            await self._end(one)
        else:
            self._looking.append(one)

    def _looking_worker(self, conn: Connection, lease: Lease) -> Looking:
        gate, handling = asyncio.Event(), list[Due]()
        store = dying_store_of(self._house)

        async def handle(due: Due) -> Item:
            handling.append(due)
            await gate.wait()
            return ring(due)

        one = worker(self._house, self._clock, DueHandler(ALARM, handle, PACE), store=store)
        return Looking(conn, lease, gate, store, asyncio.ensure_future(one.look(conn, lease)), handling)

    async def _end(self, one: Looking) -> None:
        one.gate.set()
        with contextlib.suppress(LeaseLost, Killed):
            await one.task
        await leases.release(one.conn, one.lease)
        await one.conn.close()

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def nothing_rings_early_twice_or_after_it_was_cancelled(self) -> None:
        self._run(self._check())

    async def _check(self) -> None:
        pending = {alarm: _pending(events) for alarm, events in (await log_of(self._house)).items()}
        rows = await self._house.rows("SELECT stream_id FROM due_date")
        assert {row[0] for row in rows} == {alarm for alarm, at in pending.items() if at}, "a row for each that waits"

    def teardown(self) -> None:
        self._run(self._rest())

    async def _rest(self) -> None:
        """Whoever is under way is stopped for ever; time passes, and one worker looks until nothing is due."""
        try:
            for one in self._looking:
                await _crash(one)
            await _expire(self._house)
            for _ in range(LOOKS_TO_REST):
                if not await self._house.rows("SELECT 1 FROM due_date"):
                    break
                self._clock.pass_(60)
                await self._begin(whole=True)
            await self._check()
            assert not any(_pending(events) for events in (await log_of(self._house)).values()), "each has rung"
        finally:
            self._looking.clear()


def _pending(events: Sequence[tuple[str, dict[str, Any]]]) -> datetime | None:
    """When the alarm is to ring after these events. Fails where it rang without being due."""
    at: datetime | None = None
    for name, data in events:
        if name == "alarm.set":
            at = datetime.fromisoformat(data["at"])
        elif name == "alarm.cancelled":
            at = None
        elif name == "alarm.rang":
            assert at is not None, "it rang without being set"
            assert datetime.fromisoformat(data["at"]) >= at, "it rang early"
            at = None
    return at


async def _both(*writers: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(*writers)


async def _crash(one: Looking) -> None:
    """What SIGKILL leaves behind: a broken connection, and a lease that nobody gives back."""
    one.conn.pgconn.finish()
    one.task.cancel()
    await asyncio.gather(one.task, return_exceptions=True)


async def _emptied(house: House) -> None:
    async with house.pool.connection() as conn, conn.transaction():
        for table in ("events", "lease", "due_date"):
            await conn.execute(f"DELETE FROM {table}".encode())


async def _expire(house: House) -> None:
    await house.rows("UPDATE lease SET expires_at = clock_timestamp() - interval '1 second' RETURNING 1")


@pytest.fixture
def machine(postgres_url: str) -> Iterator[Callable[[], Alarms]]:
    """Makes machines over one installation, on a loop of their own."""
    with asyncio.Runner() as loop:
        building = built(postgres_url, options=NO_FSYNC)
        house = loop.run(building.__aenter__())
        try:
            yield lambda: Alarms(house, loop)
        finally:
            loop.run(building.__aexit__(None, None, None))


def test_each_deadline_has_one_effect(machine: Callable[[], Alarms], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_worker, "STREAMS_A_LOOK", STREAMS_A_LOOK)
    monkeypatch.setattr(due_worker, "RENEW_EVERY_S", NEVER_S)
    chosen = random.SystemRandom().getrandbits(32)
    print(f"seed {chosen}")
    bounds = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, print_blob=True)
    seeded: Any = seed(chosen)(machine)
    run_state_machine_as_test(seeded, settings=bounds)


def test_the_oracle_finds_what_must_not_be() -> None:
    """A check that cannot fail proves nothing."""
    set_, rang = ("alarm.set", {"at": NOW.isoformat()}), ("alarm.rang", {"at": NOW.isoformat()})
    early = ("alarm.rang", {"at": (NOW - timedelta(seconds=1)).isoformat()})
    assert _pending([set_, rang]) is None and _pending([set_, rang, set_]) == NOW
    for wrong in ([rang], [set_, rang, rang], [set_, ("alarm.cancelled", {}), rang], [set_, early]):
        with pytest.raises(AssertionError):
            _pending(wrong)
