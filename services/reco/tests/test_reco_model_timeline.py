"""The timeline against lists built in the plainest way, with its store moved and compacted as often as can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reco.model import timeline as module
from reco.model.ids import Ids, tie
from reco.model.timeline import Timeline

MEMBERS, ITEMS = 4, 6
Steps = list[tuple[int, int]]
histories = st.lists(
    st.tuples(st.integers(0, ITEMS - 1), st.integers(0, 3)), max_size=ITEMS, unique_by=lambda step: step[0]
)


def empty() -> Timeline:
    members, items = Ids(10), Ids(10)
    for number in range(ITEMS):
        members.numbered(f"m{number}")
        items.numbered(f"i{number}")
    return Timeline(members, items)


def ordered(steps: Steps) -> Steps:
    return sorted(steps, key=lambda step: (step[1], tie(f"i{step[0]}")))


def assert_holds(line: Timeline, held: dict[int, Steps]) -> None:
    every = sorted(
        (time, tie(f"m{member}"), tie(f"i{item}"), member, item)
        for member, steps in held.items()
        for item, time in steps
    )
    for member in range(MEMBERS):
        steps = list(zip(line.sequence(member).tolist(), line.sequence_times(member).tolist(), strict=True))
        assert steps == held.get(member, [])
    assert [(int(line.owners[at]), int(line.items[at])) for at in line.newest(1_000)] == [one[3:] for one in every]
    assert line.size == len(every)
    for item in range(ITEMS):
        mine = [one for one in every if one[4] == item]
        assert line.owners[line.places(item, 1_000)].tolist() == [one[3] for one in mine]
        assert line.owners[line.places(item, 2)].tolist() == [one[3] for one in mine[-2:]]
        assert line.posted(np.array([item])).tolist() == [len(mine)]
        assert line.last_us(np.array([item])).tolist() == [mine[-1][0] if mine else 0]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, MEMBERS - 1), histories), max_size=12))
def test_given_histories_when_replaced_then_sequences_and_postings_follow(
    monkeypatch: pytest.MonkeyPatch, changes: list[tuple[int, Steps]]
) -> None:
    monkeypatch.setattr(module, "MIN_COMPACTION", 1)
    line, held = empty(), dict[int, Steps]()
    for member, steps in changes:
        before, after = held.get(member, []), ordered(steps)
        same = 0
        while same < min(len(before), len(after)) and before[same] == after[same]:
            same += 1
        line.splice(member, same, after[same:])
        held[member] = after
        assert_holds(line, held)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, MEMBERS - 1), min_size=20, max_size=120))
def test_given_histories_that_slide_when_the_store_is_compacted_then_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, members: list[int]
) -> None:
    monkeypatch.setattr(module, "MIN_COMPACTION", 1)
    line, held = empty(), dict[int, Steps]()
    for time, member in enumerate(members):
        steps = held.setdefault(member, [])
        if len(steps) == 3:
            line.drop_oldest(member, 1)
            del steps[0]
        item = next(one for one in range(ITEMS) if one not in [held_item for held_item, _ in steps])
        line.splice(member, len(steps), [(item, time)])
        steps.append((item, time))
    assert_holds(line, held)
    assert len(line.items) <= 40 * sum(len(steps) for steps in held.values()) + 64
