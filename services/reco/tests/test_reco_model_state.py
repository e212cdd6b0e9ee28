"""The model's state is a function of the set of rows: compared with a model that was built from the last rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco.model.ids import tie
from reco.model.model import Model
from reco.model.parts.gram import ridge_of
from reco.model.rows import SECOND_US, Item, Pair
from reco.model.settings import Settings

NOW_US = 10_000 * SECOND_US
MEMBERS, CONTENTS = "mnop", "abcdefgh"
SMALL = Settings(max_history=4, max_profile=3, replay=16)

rows = st.builds(
    lambda member, content, at, strength: Pair(member, content, at * SECOND_US, at * SECOND_US, strength),
    st.sampled_from(MEMBERS),
    st.sampled_from(CONTENTS),
    st.integers(0, 12),
    st.sampled_from([1.0, 1.0, 3.0, 0.0, -1.0]),
)
forgets = st.sampled_from([("forget", member) for member in MEMBERS])
drops = st.tuples(st.just("drop"), st.sampled_from(MEMBERS), st.sampled_from(CONTENTS))
Step = Pair | tuple[str, ...]


def fresh(rows: Sequence[Pair], chosen: Settings = SMALL) -> Model:
    model = Model(chosen, np.random.default_rng(1))
    model.take_items([Item(content, "x", "video", (content, "all")) for content in CONTENTS])
    model.take(rows)
    return model


def applied(model: Model, steps: Sequence[Step]) -> list[Pair]:
    """Do the steps to the model and, by the plainest means, to a dictionary; return the rows that are left."""
    left: dict[tuple[str, str], Pair] = {}
    for step in steps:
        if isinstance(step, Pair):
            model.take([step])
            left[step.member_id, step.content_id] = step
        elif step[0] == "forget":
            model.forget(step[1])
            left = {key: row for key, row in left.items() if key[0] != step[1]}
        else:
            model.drop(step[1], step[2])
            left.pop((step[1], step[2]), None)
    return list(left.values())


def scores(model: Model, member: str) -> dict[str, dict[str, float]]:
    """Each part's scores before they are standardised, by content that may be recommended. Absent counts as 0."""
    profile = model.standing.profile(member, NOW_US)
    eligible = model.standing.eligible(profile).tolist()
    found = {column: dict.fromkeys(map(model.standing.items.name, eligible), 0.0) for column in model.columns}
    for part in model.standing.parts:
        for column, values in part.scores(profile, len(model.standing.items)).items():
            found[column] = {model.standing.items.name(at): float(values[at]) for at in eligible}
    return found


def assert_same(one: Model, other: Model) -> None:
    one.settle()
    other.settle()
    for member in MEMBERS:
        mine, theirs = scores(one, member), scores(other, member)
        for column in mine:
            assert mine[column] == pytest.approx(theirs[column], abs=2e-6, rel=1e-5), (member, column)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(rows, rows, rows, rows, forgets, drops), max_size=40), st.randoms(use_true_random=False))
def test_given_any_steps_when_taken_then_the_state_is_that_of_the_rows_left(steps: list[Step], chance: Random) -> None:
    model = fresh([])
    left = applied(model, steps)
    chance.shuffle(left)
    assert_same(model, fresh(left))


@settings(max_examples=100, deadline=None)
@given(st.lists(rows, max_size=20), st.lists(st.lists(rows, max_size=20), max_size=2))
def test_given_rows_when_taken_member_by_member_then_the_state_is_as_one_by_one(
    first: list[Pair], then: list[list[Pair]]
) -> None:
    one, other = fresh(first), fresh(first)
    for some in then:
        left = list({pair[:2]: pair for pair in some}.values())
        one.take(left)
        other.standing.take_all(left)
        other.inverse.settle()
    assert_same(one, other)


@pytest.mark.parametrize("at_once", [False, True])
def test_given_more_rows_than_fit_when_taken_then_the_rest_is_left_out_and_told_and_room_is_used_again(
    at_once: bool,
) -> None:
    model = Model(Settings(replay=64, max_pairs=4), np.random.default_rng(0))
    many = [Pair("m", content, NOW_US, NOW_US, 1.0) for content in "abcdef"]
    if at_once:
        model.standing.take_all(many)
    else:
        model.take(many)
    assert (model.standing.left_out, model.standing.profile("m", NOW_US).length) == (2, 4)
    model.drop("m", "a")
    model.take([many[5], many[1]])
    assert (model.standing.left_out, model.standing.profile("m", NOW_US).length) == (2, 4)
    model.forget("m")
    model.take([Pair("n", content, NOW_US, NOW_US, 1.0) for content in "abcd"])
    assert (model.standing.left_out, model.standing.profile("n", NOW_US).length) == (2, 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, max_size=30))
def test_given_rows_when_repeated_then_nothing_changes(taken: list[Pair]) -> None:
    model = fresh([])
    left = applied(model, taken)
    model.take(left + left[::-1])
    assert_same(model, fresh(left))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.one_of(rows, rows, rows, forgets, drops), max_size=12), max_size=8))
def test_given_batches_of_steps_when_settled_between_then_counts_and_inverse_are_those_of_a_refit(
    batches: list[list[Step]],
) -> None:
    model, kept = fresh([]), list[Step]()
    for batch in batches:
        applied(model, batch)
        model.settle()
        kept += batch
    counts = counted(applied(fresh([]), kept), model)
    assert model.gram.counts.tolist() == counts.tolist()
    refit = np.linalg.inv(counts + ridge_of(model.gram.counts.diagonal()) * np.eye(len(counts)))
    assert np.abs(model.inverse.values - refit).max(initial=0.0) < 1e-8


def counted(left: Sequence[Pair], model: Model) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Pairs of items in the newest positives of each member, counted one by one."""
    size = len(model.gram)
    counts = np.zeros((size, size), dtype=np.int64)
    for member in MEMBERS:
        mine = [row for row in left if row.member_id == member and row.strength > 0]
        mine.sort(key=lambda row: (row.first_us, tie(row.content_id)))
        items = [model.standing.items.number(row.content_id) for row in mine[-SMALL.max_history :]]
        for one in items:
            for other in items:
                counts[one, other] += 1
    return counts


def test_given_many_updates_when_settled_one_by_one_then_the_inverse_does_not_drift() -> None:
    chance = np.random.default_rng(5)
    model = Model(Settings(replay=16), np.random.default_rng(1))
    for at in range(600):
        member, content = f"m{chance.integers(30)}", f"c{chance.integers(60)}"
        model.take([Pair(member, content, at, at, float(chance.random() < 0.9))])
        model.settle()
    counts = model.gram.counts
    refit = np.linalg.inv(counts + ridge_of(model.gram.counts.diagonal()) * np.eye(len(counts)))
    assert np.abs(model.inverse.values - refit).max() < 1e-8


def test_given_a_long_history_when_it_exceeds_the_bound_then_the_newest_count_and_all_stay_excluded() -> None:
    model = fresh([Pair("m", content, at, at, 1.0) for at, content in enumerate(CONTENTS)])
    profile = model.standing.profile("m", NOW_US)
    assert [model.standing.items.name(item) for item in profile.items] == ["h", "g", "f"]
    assert profile.length == 4
    assert not len(model.standing.eligible(profile))


def test_given_more_than_fits_when_taken_then_it_is_left_out_and_counted() -> None:
    model = Model(Settings(max_items=2, max_members=1, replay=16), np.random.default_rng(1))
    model.take([Pair("m", content, 1, 1, 1.0) for content in "abc"])
    model.take([Pair("n", "a", 4, 4, 1.0)])
    assert model.standing.left_out == 2
    assert model.standing.profile("m", NOW_US).length == 2
    assert model.standing.profile("n", NOW_US).length == 0


def test_given_a_member_when_forgotten_then_the_id_is_gone_and_a_return_starts_anew() -> None:
    model = fresh([Pair("m", "a", 1, 1, 1.0)])
    model.forget("m")
    assert "m" not in set(model.standing.members)
    model.take([Pair("m", "b", 2, 2, 1.0)])
    assert model.standing.profile("m", NOW_US).had.tolist() == [model.standing.items.number("b")]
