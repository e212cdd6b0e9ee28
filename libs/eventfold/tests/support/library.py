"""One installation of shelves as a machine of hypothesis: each rule is one thing that can happen to it.

PostgreSQL, store, relay, replay and fold runner are the real ones; Kafka is a list for each partition, so that the
machine and not the clock decides what happens between two steps. What must hold is checked after each rule. Which
rules may come next depends on the rules before alone, never on what a relay or a replay has come to: hypothesis repeats
its choices, and those two run beside a real server. A rule that finds nothing to act on does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from house import House
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from memory_kafka import Kafka
from shelf import TOPIC
from shelf_checks import Checks
from shelf_folding import Workers
from shelf_model import Model
from shelf_operating import MAX_PARTITIONS, Operators
from shelf_writing import HOT, Writers
from stepped_relay import SteppedRelay

from eventfold.publish import term

PARTITIONS, RELAYS_AT_ONCE, STEPS_TO_REST = 2, 3, 2000
MOVES_OF_A_REPLAY = 40
ROWS_PER_BATCH = 3
TABLES = (
    "events",
    "sequence_run",
    "unsequenced",
    "idempotency",
    "lease",
    "relay_head",
    "topic_generation",
    "fold_position",
    "topic_read",
    "dead_letter",
    "shelf_count",
)

shelves = st.sampled_from(["a", "b", "c", HOT])
titles = st.sampled_from(["t1", "t2", "t3", "t4", "t5", "t6", "poison", "audit"])
picks = st.integers(0, 7)
workers = st.integers(0, 1)
partitions = st.integers(0, MAX_PARTITIONS - 1)


class Library(RuleBasedStateMachine):
    """One example: an empty installation to which things happen."""

    def __init__(self, house: House, loop: asyncio.Runner) -> None:
        super().__init__()
        self._loop = loop
        self._run(_emptied(house))
        self._house = house = house.restarted()
        self._kafka = Kafka()
        self._kafka.make(house.prefix + TOPIC, PARTITIONS)
        self._model = Model()
        self._writers = Writers(house, self._model)
        self._workers = Workers(house, self._kafka, self._model)
        self._operators = Operators(house, self._kafka)
        self._checks = Checks(house, self._kafka, self._model)
        term.ROWS_PER_BATCH = ROWS_PER_BATCH
        self._relays: list[SteppedRelay] = []
        self._relays_started = 0

    def _run(self, steps: Coroutine[Any, Any, object]) -> None:
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

    @precondition(lambda self: self._writers.answered)
    @rule(index=picks)
    def a_command_is_repeated(self, index: int) -> None:
        self._run(self._writers.repeat(index))

    @rule(shelf=shelves, both=st.tuples(titles, titles))
    def two_writers_collide(self, shelf: str, both: tuple[str, str]) -> None:
        self._run(self._writers.add_at_once(shelf, both))

    @rule(shelf=shelves, title=titles)
    def a_server_dies_before_its_commit(self, shelf: str, title: str) -> None:
        self._run(self._writers.die_before_commit(shelf, title))

    @precondition(lambda self: not self._writers.slow)
    @rule(title=titles)
    def a_slow_transaction_begins(self, title: str) -> None:
        self._run(self._writers.open_slowly(title))

    @precondition(lambda self: self._writers.slow)
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
        for one in self._picked(which):
            self._run(self._step_relay(one, gates))

    @rule(moves=st.integers(0, 40))
    def a_relay_takes_over(self, moves: int) -> None:
        """It comes into its first batch, or into any step of a switch to another generation."""
        self.a_relay_starts(first_expired=True)
        for one in self._relays[-1:]:
            self._run(self._step_relay(one, [0] * moves))

    @rule(rows=st.integers(1, ROWS_PER_BATCH))
    def a_deployment_changes_how_much_is_sent_at_once(self, rows: int) -> None:
        """What was sequenced before it may take several batches to send again."""
        term.ROWS_PER_BATCH = rows

    @rule(which=picks, gate=picks)
    def a_send_fails(self, which: int, gate: int) -> None:
        for one in self._picked(which):
            self._run(one.fail_a_send(gate))

    @rule(which=picks)
    def a_relay_is_killed(self, which: int) -> None:
        for one in self._picked(which):
            self._relays.remove(one)
            self._run(one.crash())

    @rule()
    def the_lease_expires(self) -> None:
        """The holder was stopped for too long. It does not know: it is a zombie from now on."""
        self._run(_expire(self._house))

    def _picked(self, which: int) -> list[SteppedRelay]:
        """One of those that run, where any does."""
        return [self._relays[which % len(self._relays)]] if self._relays else []

    async def _start_relay(self) -> None:
        self._relays_started += 1
        started = SteppedRelay(self._house, self._kafka, f"relay {self._relays_started}")
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
    def a_worker_starts(self, worker: int) -> None:
        self._run(self._workers.start(worker))

    @rule(worker=workers)
    def a_worker_fetches(self, worker: int) -> None:
        self._run(self._workers.fetch(worker))

    @rule(worker=workers, fetches=st.integers(1, 4))
    def a_worker_reads_on(self, worker: int, fetches: int) -> None:
        self._run(self._workers.read_on(worker, fetches))

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

    @rule(fresh=st.booleans())
    def the_projection_is_rebuilt(self, fresh: bool) -> None:
        """From nothing, or from where a rebuild before was killed."""
        self._run(self._rebuild(fresh=fresh, dies_at=0))

    @rule(fresh=st.booleans(), at=st.integers(1, 4))
    def a_rebuild_is_killed(self, fresh: bool, at: int) -> None:
        self._run(self._rebuild(fresh=fresh, dies_at=at))

    async def _rebuild(self, *, fresh: bool, dies_at: int) -> None:
        lost = await self._operators.something_was_lost()
        await self._workers.rebuild(fresh=fresh, dies_at=dies_at, may_fail=lost)

    @rule(more_partitions=st.integers(0, 2), gates=st.lists(picks, max_size=20))
    def a_topic_is_replayed(self, more_partitions: int, gates: list[int]) -> None:
        self._run(self._operators.replay(more_partitions, gates))

    @rule(more_partitions=st.integers(0, 2), moves=st.integers(0, 40))
    def a_relay_switches_to_what_a_replay_filled(self, more_partitions: int, moves: int) -> None:
        """The relays before it may stand in the middle of a send to the generation that it closes."""
        self._run(self._operators.replay(more_partitions, [0] * MOVES_OF_A_REPLAY))
        self.a_relay_takes_over(moves)

    @rule(which=picks, gates=st.lists(picks, min_size=1, max_size=12))
    def a_replay_moves(self, which: int, gates: list[int]) -> None:
        self._run(self._operators.move(which, gates))

    @rule(which=picks, gate=picks)
    def a_replay_cannot_send(self, which: int, gate: int) -> None:
        self._run(self._operators.fail_a_send(which, gate))

    @rule(which=picks)
    def a_replay_is_killed(self, which: int) -> None:
        self._run(self._operators.kill(which))

    @rule(which=picks)
    def a_topic_is_lost(self, which: int) -> None:
        self._run(self._operators.lose(which))

    @rule()
    def handlers_are_moved_over_by_hand(self) -> None:
        if len(self._kafka.partitions_of) > 1:
            self._run(self._operators.switch())

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
            self._run(self._operators.crash())

    async def _come_to_rest(self) -> None:
        """Zombies live out their terms, a new relay sends all there is, a worker applies it: nothing is missing."""
        await self._writers.end_slowly(commit=True)
        await self._operators.finish()
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
        for help_them in (self._operators.switch, self._fold_anew):
            if await self._left_behind():
                await help_them()
                await self._workers.finish()
        assert self._workers.reading == await self._operators.current()
        await self._checks.all_hold()
        self._checks.everything_has_arrived()

    async def _left_behind(self) -> bool:
        behind = self._workers.reading != await self._operators.current()
        assert not behind or await self._operators.something_was_lost(), "handlers go over by themselves"
        return behind

    async def _fold_anew(self) -> None:
        await self._operators.delete_old_generations()
        await self._workers.begin_anew()

    async def _end_idle_zombies(self, leader: SteppedRelay) -> None:
        """What their heartbeats would do."""
        for one in [one for one in self._relays if one.idle and one is not leader]:
            await one.crash()
            self._relays.remove(one)


async def _emptied(house: House) -> None:
    async with house.pool.connection() as conn, conn.transaction():
        for table in TABLES:
            await conn.execute(f"DELETE FROM {table}".encode())
        await conn.execute(f"DROP SCHEMA IF EXISTS {house.prefix[:-1]}_shadow CASCADE".encode())


async def _expire(house: House) -> None:
    await house.rows("UPDATE lease SET expires_at = clock_timestamp() - interval '1 second' RETURNING 1")


async def _all_sequenced(house: House) -> bool:
    return await house.rows("SELECT 1 FROM unsequenced LIMIT 1") == []
