"""The protocol against marks that were worked out by hand, and the command from end to end."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reco.evaluation.command import main
from reco.evaluation.files import Event
from reco.evaluation.marks import means, over_seeds
from reco.evaluation.ours import BLEND, HYBRID, Ours
from reco.evaluation.walking import Protocol, Run, Variant, Walk, shuffled
from reco.model.model import BLEND as WEIGHTS
from reco.model.model import Model, Ranking
from reco.model.rows import Item, Pair
from reco.model.settings import Settings

SETTINGS = Settings(replay=64)


def walked(events: list[Event], variant: Variant = "strict", warm_up: float = 0.0, parts: bool = False) -> Run:
    walk = Walk(Protocol(variant, warm_up, warm_up), Ours(SETTINGS, {}, 0, parts), 0, lambda: 0.0)
    for _ in walk.over(events):
        pass
    return walk.run


def ndcg(run: Run, name: str) -> float:
    return run.marks(1)[name]["ndcg_at_10"]


def test_given_ranks_when_marked_then_gain_and_hits_are_as_defined() -> None:
    result = means(np.array([0, 9, 10, 19, 20, 20]))
    assert result["ndcg_at_10"] == pytest.approx((1.0 + 1.0 / math.log2(11.0)) / 6)
    assert result["hit_rate_at_20"] == pytest.approx(4 / 6)
    assert means(np.array([], dtype=np.int64)) == {"ndcg_at_10": 0.0, "hit_rate_at_20": 0.0}


def test_given_results_of_seeds_when_joined_then_mean_and_sample_deviation_come_out() -> None:
    assert over_seeds([{"x": 1.0}, {"x": 3.0}]) == {"x": {"mean": 2.0, "spread": pytest.approx(math.sqrt(2.0))}}
    assert over_seeds([{"x": 1.0}]) == {"x": {"mean": 1.0, "spread": 0.0}}


def test_given_events_of_one_second_when_shuffled_then_order_is_by_time_and_random_within() -> None:
    events = [Event("m", f"c{at}", at // 50, 1.0) for at in range(100)]
    one, other = (shuffled(events, np.random.default_rng(seed)) for seed in (0, 1))
    assert [event.unix_time for event in one] == [event.unix_time for event in other] == [0] * 50 + [1] * 50
    assert one != other
    assert sorted(one) == sorted(other)


def test_given_a_repeated_pair_when_shuffled_then_only_its_first_event_is_left() -> None:
    events = [Event("m", "a", 9, 1.0), Event("m", "a", 3, 1.0), Event("n", "a", 9, 1.0)]
    assert shuffled(events, np.random.default_rng(0)) == [Event("m", "a", 3, 1.0), Event("n", "a", 9, 1.0)]


class Watched(Model):
    """Notes what is known of the member whenever a ranking is asked for."""

    lengths: list[int]

    def ranked(self, member_id: str, now_us: int, passing: Callable[[str], bool] | None = None) -> Ranking:
        self.lengths.append(self.standing.profile(member_id, now_us).length)
        return super().ranked(member_id, now_us)


@pytest.mark.parametrize(("variant", "lengths"), [("strict", [0, 0, 0, 3]), ("usual", [0, 1, 2, 3])])
def test_given_events_of_one_second_when_walked_then_only_the_usual_variant_knows_the_earlier_ones(
    variant: Variant, lengths: list[int]
) -> None:
    ours, watched = Ours(SETTINGS, {}, 0, parts=False), Watched(SETTINGS, np.random.default_rng(0))
    watched.lengths = []
    ours.model = watched
    events = [Event("m", "a", 5, 1.0), Event("m", "b", 5, 1.0), Event("m", "c", 5, 1.0), Event("m", "d", 6, 1.0)]
    for _ in Walk(Protocol(variant, 0.0, 0.0), ours, 0, lambda: 0.0).over(events):
        pass
    assert watched.lengths[::2] == watched.lengths[1::2] == lengths  # the hybrid, and the blend over its candidates


def test_given_an_unknown_item_when_it_comes_then_it_counts_as_a_miss() -> None:
    run = walked([Event("m", "a", 1, 1.0), Event("n", "b", 2, 1.0)])
    assert run.outcomes.ranks[HYBRID] == [20, 20]


def test_given_a_dislike_when_walked_then_it_is_taken_but_not_predicted() -> None:
    run = walked([Event("m", "a", 1, 1.0), Event("n", "a", 2, -1.0), Event("n", "b", 3, 1.0)])
    assert run.scored == 2
    assert run.events == 3


def test_given_a_chain_that_repeats_when_walked_then_it_is_learned_and_the_first_is_hit() -> None:
    chain = [Event(f"m{member}", f"c{at}", 100 * member + at, 1.0) for member in range(30) for at in range(8)]
    assert ndcg(walked(chain, warm_up=0.7), HYBRID) > 0.8


def test_given_parts_when_walked_then_each_column_is_marked() -> None:
    chain = [Event(f"m{member}", f"c{at}", 100 * member + at, 1.0) for member in range(10) for at in range(8)]
    run = walked(chain, warm_up=0.5, parts=True)
    model = Model(Settings(replay=64), np.random.default_rng(0))
    assert set(run.outcomes.ranks) == {HYBRID, BLEND, *model.columns}
    assert ndcg(run, "markov.next") > ndcg(run, "popular.365d")


def test_given_a_model_that_has_learned_when_ranked_besides_then_the_blend_is_of_the_fixed_weights() -> None:
    ours = Ours(SETTINGS, {}, 0, parts=False)
    chain = [Event(f"m{member}", f"c{at}", 100 * member + at, 1.0) for member in range(30) for at in range(8)]
    for _ in Walk(Protocol("strict", 0.0, 0.0), ours, 0, lambda: 0.0).over(chain):
        pass
    ours.take([Event("n", "c0", 9_000, 1.0)], learn=True)
    view = ours.model.view("n", 9_001 * 1_000_000)
    standard = view.standard(view.eligible)
    scores = sum(WEIGHTS.get(name, 0.0) * row for name, row in zip(ours.model.columns, standard, strict=True))
    best = [ours.model.standing.items.name(int(view.eligible[at])) for at in np.argsort(-np.asarray(scores))]
    assert ours.besides("n", 9_001, 3)[BLEND] == best[:3]
    assert ours.model.ranker.outcomes > 0


def test_given_the_same_seed_when_walked_twice_then_the_marks_are_the_same() -> None:
    chance = np.random.default_rng(3)
    events = [Event(f"m{chance.integers(9)}", f"c{chance.integers(40)}", int(at) // 3, 1.0) for at in range(300)]
    one, other = walked(events, warm_up=0.5), walked(events, warm_up=0.5)
    assert one.outcomes == other.outcomes


def test_given_events_when_the_command_runs_then_it_prints_json_and_progress_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.csv"
    rows = [f"m{member},c{at},{100 * member + at}" for member in range(12) for at in range(6)]
    path.write_text("member,content,unix_time\n" + "\n".join(rows))
    assert main(["--events", str(path), "--seeds", "2", "--warm-up", "0.5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["marks"]) == {"strict", "usual"}
    assert report["scored"] == 36
    assert 0.0 < report["marks"]["strict"][HYBRID]["ndcg_at_10"]["mean"] <= 1.0
    marks, difference = report["marks"]["usual"], report["differences"]["usual"][BLEND]["hit_rate_at_20"]
    means_ = [marks[name]["hit_rate_at_20"]["mean"] for name in (HYBRID, BLEND)]
    assert difference["mean"] == pytest.approx(means_[0] - means_[1])
    assert difference["low"] <= difference["mean"] <= difference["high"]
    for slices in report["cold"]["strict"][HYBRID].values():
        assert sum(one["outcomes"] for one in slices) == 2 * report["scored"]
    assert main(["--events", str(path), "--seeds", "1", "--warm-up", "0.5", "--variant", "strict", "--parts"]) == 0
    assert "hybrid" in capsys.readouterr().out


def test_given_rare_items_when_asked_to_then_they_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.csv"
    path.write_text("member,content,unix_time\nm,a,1\nn,a,2\nn,b,3\n")
    choices = ["--events", str(path), "--seeds", "1", "--warm-up", "0", "--json"]
    assert main([*choices, "--min-item-events", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["events"] == 2


def test_given_pairs_when_learned_from_then_each_is_predicted_from_before_the_call() -> None:
    model = Model(Settings(replay=64), np.random.default_rng(0))
    model.take([Pair(f"m{at}", content, at, at, 1.0) for at in range(20) for content in "abcdef"])
    model.take_items([Item(content) for content in "abcdef"])
    twice = [Pair("n", "a", 30, 30, 1.0), Pair("n", "a", 31, 31, 1.0)]
    late, disliked, unknown = Pair("m1", "a", 0, 0, 1.0), Pair("n", "b", 30, 30, 0.0), Pair("n", "z", 30, 30, 1.0)
    model.take([late, disliked, unknown, Pair("n", "c", 30, 30, 1.0)], learn=True)
    assert model.ranker.outcomes == 1
    model.take(twice, learn=True)
    assert model.ranker.outcomes == 2
