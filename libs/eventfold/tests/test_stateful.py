"""Any interleaving of writers, crashes, zombies, rebalances and repairs ends where an in-memory model ends.

`library` says what can happen; hypothesis chooses, and some interleavings that once ended elsewhere are told step by
step. `make test-nightly` runs more examples, `HYPOTHESIS_SEED=n` repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from house import built
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test
from library import ROWS_PER_BATCH, Library
from shelf_folding import RECORDS_PER_FETCH
from shelf_writing import HOT
from stepped_relay import GatedConnection

from eventfold.publish import generations, term
from eventfold_ops import filling, refold, replay

ROWS_PER_FILL = 3
NEARLY_FILLED_EVENTS = 2
EXAMPLES, NIGHTLY_EXAMPLES, STEPS = 100, 5000, 25
ALL_MOVES = 40
NEVER_S = 3600.0  # leases end when a rule says so, not by the clock
AT_ONCE_S = -1.0  # nobody would move the relay while a replay waits for it, or bring back what a rebuild misses
NO_FSYNC = "-csynchronous_commit=off"  # the machine never ends the database


@pytest.fixture(autouse=True)
def _bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small enough that a few steps reach each of them."""
    monkeypatch.setattr(term, "ROWS_PER_BATCH", ROWS_PER_BATCH)
    monkeypatch.setattr(term, "HEARTBEAT_S", NEVER_S)
    monkeypatch.setattr(generations, "ROWS_PER_FILL", ROWS_PER_FILL)
    monkeypatch.setattr(replay, "NEARLY_FILLED_EVENTS", NEARLY_FILLED_EVENTS)
    monkeypatch.setattr(replay, "SWITCHED_WITHIN_S", AT_ONCE_S)
    monkeypatch.setattr(filling, "ATTEMPTS", 1)  # a pause would be outside of the model
    monkeypatch.setattr(refold, "fetch_records", lambda _: RECORDS_PER_FETCH)
    monkeypatch.setattr(refold, "STALLED_AFTER_S", AT_ONCE_S)


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


def test_any_interleaving_ends_where_the_model_ends(library: Callable[[], Library]) -> None:
    drawn = 0 if settings().derandomize else random.SystemRandom().getrandbits(32)
    chosen = int(os.environ.get("HYPOTHESIS_SEED") or drawn)
    examples = NIGHTLY_EXAMPLES if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else EXAMPLES
    print(f"HYPOTHESIS_SEED={chosen} repeats this run of {examples} examples")
    bounds = settings(max_examples=examples, stateful_step_count=STEPS, print_blob=True)
    machine: Any = seed(chosen)(library)
    run_state_machine_as_test(machine, settings=bounds)


def test_a_worker_that_slept_through_a_switch_and_a_rebuild_applies_nothing_again(
    library: Callable[[], Library],
) -> None:
    """The rebuild stores positions on the new generation alone: on the old one the worker finds none."""
    one = library()
    one.a_book_is_added("a", "t1")
    one.all_comes_to_rest()
    one.a_worker_starts(0)
    one.a_relay_switches_to_what_a_replay_filled(0, ALL_MOVES)
    one.handlers_are_moved_over_by_hand()
    one.the_projection_is_rebuilt(fresh=True)
    one.a_worker_reads_on(0, 4)
    one.store_topic_and_projection_are_what_the_model_says()
    one.teardown()


def test_what_a_worker_has_in_hand_at_a_switch_is_applied_once(library: Callable[[], Library]) -> None:
    """Given records of partitions where the handler has no position yet, it finds them again on the new generation."""
    one = library()
    one.a_book_is_added("a", "t1")
    one.all_comes_to_rest()
    for shelf in ("b", "c", HOT):
        one.a_book_is_added(shelf, "t1")
    one.a_relay_takes_over(ALL_MOVES)
    one.a_worker_starts(0)
    one.a_worker_fetches(0)
    one.a_relay_switches_to_what_a_replay_filled(0, ALL_MOVES)
    one.handlers_are_moved_over_by_hand()
    one.a_worker_applies(both=False, worker=0)
    one.store_topic_and_projection_are_what_the_model_says()
    one.teardown()
