"""What tells a stuck worker from a slow one, and from one that waits on purpose."""

from __future__ import annotations

import pytest

from eventfold.fold.progress import At, Progress

A, B = ("counting", "topic", 0), ("counting", "topic", 1)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Watched:
    """A worker that is looked at every five seconds."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.progress = Progress(self.clock)

    def look(self, times: int = 1, **places: At) -> float:
        for _ in range(times):
            self.clock.now_s += 5.0
            self.progress.looking()
            self.progress.seen({{"a": A, "b": B}[name]: at for name, at in places.items()})
        return self.progress.stuck_s()

    def fail(self, times: int) -> float:
        for _ in range(times):
            self.clock.now_s += 5.0
            self.progress.looking()
            self.progress.unknown()
        return self.progress.stuck_s()


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_nobody_is_stuck_before_the_first_look(watched: Watched) -> None:
    assert watched.progress.stuck_s() == 0


def test_work_that_waits_and_does_not_move_is_stuck_for_as_long(watched: Watched) -> None:
    assert watched.look(a=At(3, 2)) == 0
    assert watched.look(10, a=At(3, 2)) == 50
    assert watched.look(a=At(3, 99)) == 55, "more work is no progress"


def test_a_worker_without_work_is_not_stuck(watched: Watched) -> None:
    assert watched.look(100, a=At(3, 0)) == 0


def test_a_worker_that_is_slow_is_not_stuck(watched: Watched) -> None:
    assert max(watched.look(a=At(n, 1_000_000)) for n in range(100)) == 0


def test_one_partition_that_stands_is_found_among_others_that_move(watched: Watched) -> None:
    assert max(watched.look(a=At(3, 1), b=At(n, 1)) for n in range(11)) == 50


def test_a_move_begins_the_time_anew(watched: Watched) -> None:
    watched.look(11, a=At(3, 2))
    assert watched.look(a=At(4, 1)) == 0
    assert watched.look(a=At(4, 1)) == 5


def test_a_partition_that_was_taken_away_does_not_count(watched: Watched) -> None:
    watched.look(11, a=At(3, 2))
    assert watched.look(b=At(0, 1)) == 0
    assert watched.look(a=At(3, 2), b=At(0, 1)) == 5, "given back, it counts from then on"


def test_time_in_which_nobody_can_tell_does_not_count_and_does_not_clear(watched: Watched) -> None:
    """Given a database that is away for an hour, when it is back, then the worker has time to go on."""
    watched.look(11, a=At(3, 2))
    assert watched.fail(720) == 50
    assert watched.look(a=At(3, 2)) == 50
    assert watched.look(a=At(3, 2)) == 55


def test_a_look_that_never_ends_is_stuck_too(watched: Watched) -> None:
    watched.look(a=At(3, 0))
    watched.progress.looking()
    watched.clock.now_s += 400
    assert watched.progress.stuck_s() == 400
