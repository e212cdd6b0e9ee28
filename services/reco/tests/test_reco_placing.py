"""Places of an answer: limits, exploration with true propensities; arms of an experiment."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from reco.recommendation.application.experiments import Experiment
from reco.recommendation.application.placing import Rules, placed

DRAWS = 20_000


def creator(one: str) -> str:
    return one[0]


def test_given_a_limit_for_each_creator_when_placed_then_the_next_best_of_others_follow() -> None:
    found = placed(["a1", "a2", "a3", "b1", "a4", "c1"], creator, 4, Rules(2, 0.0), random.Random(1))
    assert [one.one for one in found] == ["a1", "a2", "b1", "c1"]
    assert {one.propensity for one in found} == {1.0}


def test_given_one_creator_only_when_placed_then_the_answer_is_short_and_ends() -> None:
    many = [f"a{number}" for number in range(500)]
    assert len(placed(many, creator, 100, Rules(3, 0.5), random.Random(1))) == 3


def test_given_exploration_when_drawn_often_then_propensities_are_the_frequencies() -> None:
    rng, rules, candidates = random.Random(7), Rules(9, 0.3, pool=4), ["a", "b", "c", "d", "e"]
    draws = [placed(candidates, creator, 1, rules, rng)[0] for _ in range(DRAWS)]
    counted = Counter(one.one for one in draws)
    told = {one.one: one.propensity for one in draws}
    assert sum(told.values()) == pytest.approx(1.0) and "e" not in told
    for one, propensity in told.items():
        spread = (propensity * (1 - propensity) / DRAWS) ** 0.5
        assert abs(counted[one] / DRAWS - propensity) < 4 * spread


def test_given_an_experiment_when_members_are_assigned_then_always_alike_and_by_share() -> None:
    experiment = Experiment("first", {"hybrid": 3, "items": 1})
    arms = [experiment.arm(f"m{number}") for number in range(4_000)]
    assert arms == [experiment.arm(f"m{number}") for number in range(4_000)]
    assert abs(arms.count("items") / 4_000 - 0.25) < 0.03
    assert arms != [Experiment("second", {"hybrid": 3, "items": 1}).arm(f"m{number}") for number in range(4_000)]


@pytest.mark.parametrize(("name", "arms"), [("", {"hybrid": 1}), ("x", {}), ("x", {"magic": 1}), ("x", {"items": 0})])
def test_given_an_experiment_that_cannot_be_when_made_then_it_is_refused(name: str, arms: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="arms"):
        Experiment(name, arms)
