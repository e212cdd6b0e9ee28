"""The ceiling for each member, by a clock of ours."""

from __future__ import annotations

import pytest

from servicekit import limits
from servicekit.limits import BURST_S, MemberCeiling, TooManyCalls

PER_S = 20.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(ceiling: MemberCeiling, member_id: str, calls: int) -> int:
    """How many of so many calls at once are let through."""
    passed = 0
    for _ in range(calls):
        try:
            ceiling.take(member_id)
            passed += 1
        except TooManyCalls:
            continue
    return passed


def test_a_flood_of_one_member_is_cut_and_another_notices_nothing() -> None:
    clock = Clock()
    ceiling = MemberCeiling(PER_S, clock)
    assert taken(ceiling, "flood", 2000) == PER_S * BURST_S
    assert taken(ceiling, "calm", 10) == 10
    clock.now += 1
    assert taken(ceiling, "flood", 2000) == PER_S


def test_a_refusal_says_when_to_ask_again() -> None:
    clock = Clock()
    ceiling = MemberCeiling(0.1, clock)
    ceiling.take("m")
    with pytest.raises(TooManyCalls) as refused:
        ceiling.take("m")
    assert refused.value.retry_after_s == 10
    clock.now += refused.value.retry_after_s
    ceiling.take("m")


def test_the_allowance_never_grows_beyond_a_burst() -> None:
    clock = Clock()
    ceiling = MemberCeiling(PER_S, clock)
    ceiling.take("m")
    clock.now += 1e6
    assert taken(ceiling, "m", 2000) == PER_S * BURST_S


def test_no_more_members_are_remembered_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEMBERS_REMEMBERED", 10)
    ceiling = MemberCeiling(1.0, Clock())
    for number in range(100):
        ceiling.take(f"m{number}")
    assert len(ceiling.members) == 10
