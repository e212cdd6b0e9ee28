"""A member with a million events, and numbers that are none: bounded work, and an answer that can be sent."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.model.model import Model
from reco.model.rows import Pair
from reco.model.settings import Settings
from reco.model.state import StateRefused
from reco.recommendation import shaping
from reco.recommendation.application import answers
from reco.recommendation.application.answers import Wish
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.experiments import METHODS
from reco.recommendation.application.pairs import Bounds
from reco.recommendation.application.placing import Rules
from reco.recommendation.domain.signals import strength
from reco.recommendation.projections import ItemRow, PairRow

START = datetime(2026, 1, 1, tzinfo=UTC)
CAP = 50
RULES = Rules(per_creator=99, explored_share=0.0)


def model() -> Model:
    return Model(Settings(max_history=CAP, replay=16), np.random.default_rng(1))


def operations(work: Callable[[], object]) -> int:
    """Functions called by `work`, Python's own ones included: the same on any machine at any load."""
    count = 0

    def called(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def rows(names: str, times: Iterable[int], strength: float = 1.0) -> list[Pair]:
    return [Pair("m", f"{names}{number}", at, at, strength) for number, at in enumerate(times)]


UPDATES: dict[str, Callable[[int], list[Pair]]] = {
    "newer": lambda size: rows("new", range(size * 10, size * 10 + 2 * CAP)),
    "older than the history": lambda size: rows("old", range(5, 5 + 2 * CAP)),
    "within the history": lambda size: rows("late", [size * 10 - 15] * 2 * CAP),
    "told again": lambda size: rows("c", range(0, 20 * CAP, 10)),
    "disliked": lambda size: rows(f"c{size}"[:1], range(0, 20 * CAP, 10), -1.0),
}


@pytest.mark.parametrize("update", UPDATES)
def test_given_a_history_ten_times_as_long_when_updated_then_it_takes_no_more_operations(update: str) -> None:
    counted = []
    for size in (400, 4_000):
        one = model()
        one.take(rows("c", range(0, size * 10, 10)))
        new = UPDATES[update](size)
        for row in new:
            one.standing.items.numbered(row.content_id)  # so that matrices grow before it is counted
        one.gram.grow(len(one.standing.items))
        counted.append(operations(lambda one=one, new=new: one.take(new)))  # type: ignore[misc]
    assert counted[1] <= 1.05 * counted[0]


def test_given_a_history_ten_times_as_long_when_ranked_then_it_takes_no_more_operations() -> None:
    counted = []
    for size in (400, 4_000):
        one = model()
        one.take(rows("c", range(0, size * 10, 10)))
        counted.append(operations(lambda one=one: one.ranked("m", 10**6)))  # type: ignore[misc]
    assert counted[1] <= 1.05 * counted[0]


def filled(copy: Copy, contents: int) -> Copy:
    copy.take_items(
        [ItemRow(f"c{at}", f"by{at}", "text", "t", [], None, START, "free", None) for at in range(contents)]
    )
    return copy


def test_given_a_member_with_a_million_events_when_asked_then_the_cap_holds_and_every_method_answers() -> None:
    contents, events = 2_000, 1_000_000
    copy = filled(Copy(Bounds(10_000, 100_000, CAP), model), contents + 5)
    moments = [START + timedelta(seconds=at) for at in range(contents)]
    once = [PairRow("m", f"c{at}", 10, None, None, moments[at], moments[at]) for at in range(contents)]
    copy.take_pairs(once)
    copy.taken()
    again = [copy._pair(row) for row in once]
    for _ in range(events // contents - 1):  # each event of a pair that is known is its row again
        copy.model.take(again)
    copy.take_pairs(once[:1])
    copy.taken()
    profile = copy.model.standing.profile("m", 2**60)
    assert (profile.length, len(profile.had), copy.pairs.size) == (CAP, contents, contents)
    assert len(copy.pairs.history("m", None)[0]) == CAP
    newest = [copy.model.standing.items.name(item) for item in profile.items.tolist()]
    assert newest == [f"c{at}" for at in range(contents - 1, contents - 1 - CAP, -1)]
    for method in METHODS:
        wish = Wish("m", method, 10, now=START + timedelta(days=1))
        found = answers.recommend(copy, wish, RULES, random.Random(0))
        assert sorted(one.content_id for one in found) == [f"c{at}" for at in range(contents, contents + 5)]


@given(
    weight=st.integers(1, 10**9),
    rating=st.none() | st.integers(-(10**9), 10**9),
    watched_ms=st.integers(-(2**63), 2**63 - 1),
    duration_ms=st.none() | st.integers(-(2**63), 2**63 - 1),
    hidden=st.booleans(),
)
def test_given_any_row_of_the_table_when_weighed_then_its_strength_is_finite(**row: Any) -> None:
    assert math.isfinite(strength(**row))


class Careless(Copy):
    """A copy whose rows say what they must not."""

    told: float

    def strength(self, row: PairRow) -> float:
        return self.told


@pytest.mark.parametrize("told", [math.nan, math.inf, -math.inf])
@pytest.mark.filterwarnings("error")
def test_given_strengths_that_are_no_numbers_when_asked_then_none_leaves_with_an_answer(told: float) -> None:
    copy = Careless(Bounds(100, 1_000, CAP), model)
    copy.told = told
    filled(copy, 8)
    at = START + timedelta(seconds=1)
    copy.take_pairs([PairRow(one, content, 10, None, None, at, at) for one in "mno" for content in ("c1", "c2")])
    copy.taken()
    copy.model.settle()
    copy.model.sweep()
    for method in METHODS:
        found = answers.recommend(copy, Wish("m", method, 10, now=at), RULES, random.Random(0))
        sent = shaping.items(copy, found, {})
        assert len(sent) == 6 and all(math.isfinite(one.score) for one in sent)


def overflown(one: Model) -> Model:
    for weight in one.ranker._nets[0].weights:
        weight[:] = np.nan
    return one


def test_given_a_net_that_ran_away_when_asked_then_there_is_an_answer_of_finite_scores() -> None:
    copy = filled(Copy(Bounds(100, 1_000, CAP), lambda: overflown(model())), 8)
    for method in ("hybrid", "members", "content"):
        found = answers.recommend(copy, Wish("m", method, 5, now=START), RULES, random.Random(0))
        assert len(found) == 5 and all(math.isfinite(one.score) for one in found)


def test_given_a_net_that_ran_away_when_saved_then_it_is_refused_by_name() -> None:
    with pytest.raises(StateRefused, match=r"numbers that are none: ranker\.0\.w"):
        overflown(model()).to_bytes()
