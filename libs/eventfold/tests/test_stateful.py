"""Any interleaving of writers, crashes, zombies, rebalances and repairs ends where an in-memory model ends.

PostgreSQL, store, relay and fold runner are the real ones; Kafka is a list for each partition, so that the machine and
not the clock decides what happens between two steps. Each rule is one thing that can happen; what must hold is checked
after each. `HYPOTHESIS_PROFILE=nightly` runs more examples, `HYPOTHESIS_SEED=n` repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from house import House, built
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from memory_kafka import Log
from shelf import TOPIC
from shelf_checks import Checks
from shelf_folding import Workers
from shelf_model import Model
from shelf_writing import HOT, Writers
from stepped_relay import GatedConnection, SteppedRelay

from eventfold import relay

PARTITIONS, RELAYS_AT_ONCE, STEPS_TO_REST = 2, 3, 2000
ROWS_PER_BATCH = 3
EXAMPLES, NIGHTLY_EXAMPLES, STEPS = 200, 5000, 25
NEVER_S = 3600.0  # leases end when a rule says so, not by the clock
NO_FSYNC = "-csynchronous_commit=off"  # the machine never ends the database
TABLES = ("events", "idempotency", "lease", "relay_head", "fold_position", "dead_letter", "shelf_count")

shelves = st.sampled_from(["a", "b", "c", HOT])
titles = st.sampled_from(["t1", "t2", "t3", "t4", "t5", "t6", "poison", "audit"])
picks = st.integers(0, 7)
workers = st.integers(0, 1)
partitions = st.integers(0, PARTITIONS - 1)


class Library(RuleBasedStateMachine):
    """One example: an empty installation to which things happen."""

    def __init__(self, house: House, loop: asyncio.Runner) -> None:
        super().__init__()
        self._loop = loop
        self._run(_emptied(house))
        self._house = house = house.restarted()
        self._log = Log(house.prefix + TOPIC, PARTITIONS)
        self._model = Model()
        self._writers = Writers(house, self._model)
        self._workers = Workers(house, self._log, self._model)
        self._checks = Checks(house, self._log, self._model)
        self._relays: list[SteppedRelay] = []
        self._relays_started = 0

    def _run(self, steps: Coroutine[Any, Any, None]) -> None:
        self._loop.run(steps)

    # -- writers ---------------------------------------------------------------------------------

    @rule(shelf=shelves, title=titles)
    def a_book_is_added(self, shelf: str, title: str) -> None:
        self._run(self._writers.add(shelf, title))

    @rule(shelf=shelves, title=titles, key=st.sampled_from(["k1", "k2", "k3"]))
    def a_book_is_added_under_an_idempotency_key(self, shelf: str, title: str, key: str) -> None:
        self._run(self._writers.add_with_key(shelf, title, key))

    @rule(books=st.lists(st.tuples(shelves, titles), min_size=2, max_size=8), moves=st.integers(1, 8))
    def books_are_added_and_relays_move(self, books: list[tuple[str, str]], moves: int) -> None:
        """Enough of them that a relay's batch goes to several partitions, and is seen in the middle of its work."""
        self._run(self._writers.add_all(books))
        for one in list(self._relays):
            self._run(self._step_relay(one, list(range(moves))))

    @rule(index=picks)
    def a_command_is_repeated(self, index: int) -> None:
        self._run(self._writers.repeat(index))

    @rule(shelf=shelves, both=st.tuples(titles, titles))
    def two_writers_collide(self, shelf: str, both: tuple[str, str]) -> None:
        self._run(self._writers.add_at_once(shelf, both))

    @rule(shelf=shelves, title=titles)
    def a_server_dies_before_its_commit(self, shelf: str, title: str) -> None:
        self._run(self._writers.die_before_commit(shelf, title))

    @rule(title=titles)
    def a_slow_transaction_begins(self, title: str) -> None:
        self._run(self._writers.open_slowly(title))

    @rule(commit=st.booleans())
    def the_slow_transaction_ends(self, commit: bool) -> None:
        self._run(self._writers.end_slowly(commit=commit))

    # -- relays ----------------------------------------------------------------------------------

    @rule(first_expired=st.booleans())
    def a_relay_starts(self, first_expired: bool) -> None:
        if first_expired:
            self.the_lease_expires()
        if len(self._relays) < RELAYS_AT_ONCE:
            self._run(self._start_relay())

    @rule(which=picks, gates=st.lists(picks, min_size=1, max_size=6))
    def a_relay_moves(self, which: int, gates: list[int]) -> None:
        if self._relays:
            self._run(self._step_relay(self._relays[which % len(self._relays)], gates))

    @rule(which=picks, gate=picks)
    def a_send_fails(self, which: int, gate: int) -> None:
        if self._relays:
            self._run(self._relays[which % len(self._relays)].fail_a_send(gate))

    @rule(which=picks)
    def a_relay_is_killed(self, which: int) -> None:
        if self._relays:
            self._run(self._relays.pop(which % len(self._relays)).crash())

    @rule()
    def the_lease_expires(self) -> None:
        """The holder was stopped for too long. It does not know: it is a zombie from now on."""
        self._run(_expire(self._house))

    async def _start_relay(self) -> None:
        self._relays_started += 1
        started = SteppedRelay(self._house, self._log, f"relay {self._relays_started}")
        self._relays.append(started)
        await started.start()
        self._forget_ended()

    async def _step_relay(self, one: SteppedRelay, gates: list[int]) -> None:
        for gate in gates:
            if not one.ended:
                await one.step(gate)
        self._forget_ended()

    def _forget_ended(self) -> None:
        self._relays = [one for one in self._relays if not one.ended]

    # -- folds -----------------------------------------------------------------------------------

    @rule(worker=workers, partition=partitions)
    def a_partition_is_assigned(self, worker: int, partition: int) -> None:
        self._run(self._workers.assign(worker, partition))

    @rule(worker=workers)
    def a_worker_fetches(self, worker: int) -> None:
        self._workers.fetch(worker)

    @rule(both=st.booleans(), worker=workers)
    def a_worker_applies(self, both: bool, worker: int) -> None:
        self._run(self._workers.apply(*((0, 1) if both else (worker,))))

    @rule(worker=workers)
    def a_worker_is_killed_before_its_commit(self, worker: int) -> None:
        self._run(self._workers.die_applying(worker))

    @rule(worker=workers, partition=partitions, records=st.integers(1, 10))
    def records_are_delivered_again(self, worker: int, partition: int, records: int) -> None:
        self._workers.deliver_again(worker, partition, records)

    # -- operators -------------------------------------------------------------------------------

    @rule(healed=st.booleans())
    def a_deployment_heals_the_fold_or_breaks_it(self, healed: bool) -> None:
        self._model.healed = healed

    @rule(shelf=shelves)
    def parked_records_are_redriven(self, shelf: str) -> None:
        self._run(self._workers.redrive(shelf))

    @rule(shelf=shelves, index=picks)
    def a_parked_record_is_discarded(self, shelf: str, index: int) -> None:
        self._run(self._workers.discard(shelf, index))

    @rule()
    def the_projection_is_rebuilt(self) -> None:
        self._run(self._workers.rebuild())

    # Operations that move topics (a new generation, more partitions) are operators' rules like these: they change
    # `self._log`, and `Checks` then judges each generation by itself.

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def store_topic_and_projection_are_what_the_model_says(self) -> None:
        self._run(self._checks.all_hold())

    @rule()
    def all_comes_to_rest(self) -> None:
        self._run(self._come_to_rest())

    def teardown(self) -> None:
        try:
            self._run(self._come_to_rest())
        finally:
            for one in self._relays:
                self._run(one.crash())

    async def _come_to_rest(self) -> None:
        """Zombies live out their terms, a new relay sends all there is, a worker applies it: nothing is missing."""
        await self._writers.end_slowly(commit=True)
        await _expire(self._house)
        await self._start_relay()
        last = self._relays[-1]
        for _ in range(STEPS_TO_REST):
            await self._end_idle_zombies(last)
            others = [one for one in self._relays if one is not last]
            if not others and last.idle and await _all_sequenced(self._house):
                break
            await self._step_relay(others[0] if others else last, [0])
        await self._workers.finish()
        await self._checks.all_hold()
        self._checks.everything_has_arrived()

    async def _end_idle_zombies(self, leader: SteppedRelay) -> None:
        """What their heartbeats would do."""
        for one in [one for one in self._relays if one.idle and one is not leader]:
            await one.crash()
            self._relays.remove(one)


async def _emptied(house: House) -> None:
    async with house.pool.connection() as conn, conn.transaction():
        for table in TABLES:
            await conn.execute(f"DELETE FROM {table}".encode())


async def _expire(house: House) -> None:
    await house.rows("UPDATE lease SET expires_at = clock_timestamp() - interval '1 second' RETURNING 1")


async def _all_sequenced(house: House) -> bool:
    return await house.rows("SELECT 1 FROM events WHERE seq IS NULL LIMIT 1") == []


@pytest.fixture
def library(postgres_url: str) -> Iterator[Callable[[], Library]]:
    """Makes machines over one installation, on a loop of their own."""
    with asyncio.Runner() as loop:
        building = built(postgres_url, options=NO_FSYNC)
        house = loop.run(building.__aenter__())
        try:
            yield lambda: Library(house, loop)
        finally:
            loop.run(GatedConnection.close_spare())
            loop.run(building.__aexit__(None, None, None))


def test_any_interleaving_ends_where_the_model_ends(
    library: Callable[[], Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "ROWS_PER_BATCH", ROWS_PER_BATCH)
    monkeypatch.setattr(relay, "HEARTBEAT_S", NEVER_S)
    chosen = int(os.environ.get("HYPOTHESIS_SEED") or random.SystemRandom().getrandbits(32))
    examples = NIGHTLY_EXAMPLES if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else EXAMPLES
    print(f"HYPOTHESIS_SEED={chosen} repeats this run of {examples} examples")
    bounds = settings(max_examples=examples, stateful_step_count=STEPS, deadline=None, print_blob=True)
    machine: Any = seed(chosen)(library)
    run_state_machine_as_test(machine, settings=bounds)
