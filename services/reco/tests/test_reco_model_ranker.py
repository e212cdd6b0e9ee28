"""The net's slopes against finite differences, what it can learn, and its state as bytes."""

from __future__ import annotations

import numpy as np
import pytest

from reco.model.ranker.net import Lists, Net
from reco.model.ranker.ranker import Ranker
from reco.model.ranker.replay import WIDTH, Replay
from reco.model.state import StateRefused

SIZE = 5
NAMES = tuple(f"f{at}" for at in range(SIZE))
START = np.array([1.0, 0.5, 0.0, 0.0, 0.0], dtype=np.float32)


def lists(seed: int, count: int = 6, width: int = 9) -> Lists:
    chance = np.random.default_rng(seed)
    real = np.ones((count, width), dtype=np.float32)
    real[0, 4:] = 0
    features = chance.normal(size=(count, width, SIZE)).astype(np.float32)
    return Lists(features, real, chance.integers(0, 4, count))


def loss(net: Net, batch: Lists) -> float:
    """The mean negative log-likelihood, in the plainest way."""
    total = 0.0
    for features, real, taken in zip(batch.features, batch.real, batch.taken, strict=True):
        scores = net.scores(features).astype(np.float64)
        total -= scores[taken] - np.log(np.exp(scores[real > 0]).sum())
    return total / len(batch.features)


def test_given_a_batch_when_slopes_are_computed_then_they_agree_with_finite_differences() -> None:
    chance = np.random.default_rng(0)
    net, batch = Net(START, chance), lists(1)
    for weight in net.weights:
        weight += chance.normal(0, 0.2, weight.shape).astype(np.float32)
    net.means = net.weights  # so that it scores with what it learns
    slopes = net.slopes(batch)[1]
    for weight, slope in zip(net.weights, slopes, strict=True):
        at = np.unravel_index(int(np.abs(slope).argmax()), slope.shape)
        kept, step = weight[at], 2e-3
        weight[at] = kept + step
        above = loss(net, batch)
        weight[at] = kept - step
        below = loss(net, batch)
        weight[at] = kept
        assert slope[at] == pytest.approx((above - below) / (2 * step), rel=0.03, abs=2e-4)


def test_given_a_list_that_weighs_two_when_slopes_are_computed_then_they_are_those_of_the_list_twice() -> None:
    net, batch = Net(START, np.random.default_rng(0)), lists(1, 3)
    twice = Lists(
        np.concatenate([batch.features, batch.features[1:2]]),
        np.concatenate([batch.real, batch.real[1:2]]),
        np.append(batch.taken, batch.taken[1]),
    )
    weighed = Lists(batch.features, batch.real, batch.taken, np.array([1, 2, 1], dtype=np.float32))
    (one, mine), (other, theirs) = net.slopes(weighed), net.slopes(twice)
    assert one * 3 == pytest.approx(other * 4)
    for slope, repeated in zip(mine, theirs, strict=True):
        assert slope * 3 == pytest.approx(repeated * 4, abs=1e-6)


def test_given_weighed_outcomes_when_drawn_then_each_has_its_weight() -> None:
    chance = np.random.default_rng(0)
    replay = Replay(4, 1)
    for at in range(6):
        replay.add(np.full((3, 1), at, dtype=np.float32), 0, chance, weight=1.0 + at)
    drawn = replay.drawn(4, 8, chance)
    assert drawn.weights is not None
    assert drawn.weights.tolist() == (drawn.features[:, 0, 0] + 1.0).tolist()


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_given_a_weight_that_is_none_when_added_then_it_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weight must be above 0"):
        ranker(1).add(lists(1).features[0], 0, weight)


def test_given_a_new_net_when_it_scores_then_it_is_the_blend() -> None:
    features = lists(2).features[0]
    assert Net(START, np.random.default_rng(0)).scores(features) == pytest.approx(features @ START, abs=1e-6)


def test_given_few_steps_when_learned_then_what_scores_is_the_mean_of_all_weights_so_far() -> None:
    net = Net(START, np.random.default_rng(0))
    passed = [[weight.copy() for weight in net.weights]]
    for step in range(5):
        net.learn(lists(step, 8))
        passed.append([weight.copy() for weight in net.weights])
    for mean, *weights in zip(net.means, *passed, strict=True):
        assert mean == pytest.approx(np.mean(weights, axis=0), abs=1e-6)


def test_given_a_rule_that_no_blend_can_hold_when_learned_then_the_loss_falls_below_the_blends() -> None:
    net = Net(np.zeros(SIZE, dtype=np.float32), np.random.default_rng(0))
    first = last = 0.0
    for step in range(300):
        batch = lists(step, 32)
        rule = np.where(batch.real > 0, -np.abs(batch.features[:, :, 2]), -np.inf)
        found = net.learn(Lists(batch.features, batch.real, rule.argmax(axis=1)), 3e-3)
        first, last = (found, found) if step == 0 else (first, found)
    assert last < 0.5 * first


def test_given_more_outcomes_than_fit_when_added_then_the_newest_are_kept_and_the_taken_one_stands_first() -> None:
    chance = np.random.default_rng(0)
    replay = Replay(4, 1)
    for at in range(10):
        features = np.full((WIDTH + 50, 1), at, dtype=np.float32)
        features[7] = at + 100
        replay.add(features, 7, chance)
    assert (len(replay), replay.seen) == (4, 10)
    drawn = replay.drawn(2, 6, chance)
    assert drawn.features.shape == (8, WIDTH, 1)
    assert drawn.features[:2, 0, 0].tolist() == [109.0, 108.0]
    assert set(drawn.features[2:, 0, 0].tolist()) <= {106.0, 107.0, 108.0, 109.0}
    assert drawn.real.sum() == 8 * WIDTH


def ranker(seed: int, names: tuple[str, ...] = NAMES, nets: int = 2) -> Ranker:
    return Ranker(names, START, nets, 64, np.random.default_rng(seed))


def taught(seed: int) -> Ranker:
    made = ranker(seed)
    for features in lists(seed, 40).features:
        made.add(features, 3)
    return made


def test_given_a_state_when_another_goes_on_from_it_then_both_score_alike() -> None:
    one, other = taught(1), ranker(2)
    features = lists(9).features[0]
    assert not np.allclose(one.scores(features), other.scores(features))
    other.check(one.state())
    other.restore(one.state())
    assert one.scores(features).tolist() == other.scores(features).tolist()


@pytest.mark.parametrize("damage", ["names", "nets", "missing", "nan"])
def test_given_a_state_that_does_not_fit_when_checked_then_it_is_refused(damage: str) -> None:
    one = taught(1)
    state = {
        "names": ranker(1, tuple(reversed(NAMES))).state(),
        "nets": ranker(1, nets=1).state(),
        "missing": {name: array for name, array in one.state().items() if name != "0.w.1"},
        "nan": {**one.state(), "1.b.0": np.full((SIZE, 1), np.nan)},
    }[damage]
    with pytest.raises(StateRefused):
        one.check(state)
