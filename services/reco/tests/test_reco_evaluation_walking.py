"""The walk, told by a contestant that writes down what it is told; and what is made of its outcomes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from reco.evaluation.cold import cold
from reco.evaluation.files import Event, WrongFile
from reco.evaluation.outcomes import Outcome, Outcomes, joined, rank_of, read_outcomes, write_outcomes
from reco.evaluation.paired import paired
from reco.evaluation.walking import Protocol, Published, Run, Walk


class Diary:
    """Ranks `order` for everyone, and notes each call."""

    name = "diary"

    def __init__(self, order: Sequence[str] = ()) -> None:
        self.order = order
        self.calls: list[tuple[str, object]] = []

    def publish(self, contents: Sequence[Published]) -> None:
        self.calls.append(("publish", [one.content for one in contents]))

    def best(self, member: str, unix_time: int, count: int) -> Sequence[str]:
        self.calls.append(("best", (member, unix_time)))
        return self.order[:count]

    def besides(self, member: str, unix_time: int, count: int) -> Mapping[str, Sequence[str]]:
        return {"reversed": self.order[::-1]}

    def take(self, events: Sequence[Event], learn: bool) -> None:
        self.calls.append(("take", ([event.content for event in events], learn)))


def walked(diary: Diary, events: list[Event], protocol: Protocol, published: dict[str, int] | None = None) -> Run:
    ticks = itertools.count()
    walk = Walk(protocol, diary, 0, lambda: float(next(ticks)))
    for _ in walk.over(events, published):
        pass
    return walk.run


def test_given_a_contestant_when_walked_then_it_is_told_of_contents_asked_and_taught_in_order() -> None:
    diary = Diary()
    events = [Event("m", "a", 1, 1.0), Event("m", "b", 2, 1.0), Event("n", "a", 3, -1.0), Event("n", "c", 4, 1.0)]
    run = walked(diary, events, Protocol("strict", 0.25, 0.5), {"b": 1, "d": 4, "e": 9})
    assert diary.calls == [
        ("publish", ["b"]),
        ("take", (["a"], False)),
        ("publish", ["a"]),
        ("best", ("m", 2)),
        ("take", (["b"], False)),
        ("take", (["a"], True)),  # a dislike is not predicted
        ("publish", ["d"]),
        ("best", ("n", 4)),
        ("take", (["c"], True)),
        ("publish", ["c"]),
    ]
    assert run.cost() == {"score_ms": 1e3, "update_ms": 1e3}


def test_given_a_second_of_several_events_when_walked_then_what_is_known_is_of_before_it_or_usually_of_each() -> None:
    events = [Event("m", "a", 1, 1.0), Event("m", "b", 2, 1.0), Event("m", "c", 2, 1.0)]
    for variant, known in (("strict", [0, 1, 1]), ("usual", [0, 1, 2])):
        run = walked(Diary(), events, Protocol(variant, 0.0, 0.0))  # type: ignore[arg-type]
        assert [key.member_events for key in run.outcomes.keys] == known
        assert [key.place for key in run.outcomes.keys] == [0, 1, 2]


def test_given_two_contestants_when_walked_with_one_seed_then_the_outcomes_have_the_same_keys() -> None:
    chance = np.random.default_rng(3)
    events = [Event(f"m{chance.integers(9)}", f"c{chance.integers(40)}", at // 9, 1.0) for at in range(300)]
    one, other = (
        walked(Diary(order), events, Protocol("strict", 0.5, 0.5)) for order in ([], [f"c{at}" for at in range(40)])
    )
    assert one.outcomes.keys == other.outcomes.keys
    assert one.outcomes.ranks != other.outcomes.ranks


def test_given_rankings_when_walked_then_ranks_and_coverage_are_by_name() -> None:
    order = [f"c{at}" for at in range(12)]
    run = walked(Diary(order), [Event("m", "c1", 1, 1.0), Event("m", "c9", 2, 1.0)], Protocol("strict", 0.0, 0.0))
    assert run.outcomes.ranks == {"diary": [1, 9], "reversed": [10, 2]}
    assert run.marks(20)["diary"]["coverage"] == pytest.approx(10 / 20)
    assert run.marks(20)["reversed"]["hit_rate_at_20"] == 1.0


def test_given_a_long_ranking_when_looked_at_then_only_its_first_twenty_count() -> None:
    ranking = [f"c{at}" for at in range(30)]
    assert [rank_of(f"c{at}", ranking) for at in (0, 19, 20, 99)] == [0, 19, 20, 20]


def key(place: int, member: str, known: int = 0) -> Outcome:
    return Outcome(place, member, "a,b", 7, known, known)


def test_given_outcomes_when_written_and_read_then_they_are_the_same(tmp_path: Path) -> None:
    outcomes = Outcomes([key(0, 'm"1'), key(1, "m2")], {"one": [0, 20], "other": [3, 4]})
    write_outcomes(tmp_path / "x.csv", outcomes)
    assert read_outcomes(tmp_path / "x.csv") == outcomes
    (tmp_path / "y.csv").write_text("place,member\n1,2\n")
    with pytest.raises(WrongFile, match=r"y\.csv holds no outcomes"):
        read_outcomes(tmp_path / "y.csv")


def test_given_outcomes_of_other_walks_when_joined_then_it_is_refused() -> None:
    one = Outcomes([key(0, "m"), key(1, "n")], {"one": [1, 2]})
    assert joined(one, Outcomes(list(one.keys), {"other": [3, 4]})).ranks == {"one": [1, 2], "other": [3, 4]}
    with pytest.raises(WrongFile, match="the walks differ"):
        joined(one, Outcomes([key(0, "m"), key(1, "m")], {"other": [3, 4]}))
    with pytest.raises(WrongFile, match="2 and 1 outcomes"):
        joined(one, Outcomes([key(0, "m")], {"other": [3]}))


def test_given_differences_when_resampled_then_the_interval_is_that_of_drawing_whole_members() -> None:
    chance = np.random.default_rng(5)
    members = [f"m{at}" for at in chance.integers(12, size=200)]
    differences = chance.normal(0.02, 0.1, 200)
    by_member = [[d for m, d in zip(members, differences, strict=True) if m == one] for one in sorted(set(members))]
    again = np.random.default_rng(9)
    drawn = []
    for _ in range(300):
        taken = [value for at in again.integers(len(by_member), size=len(by_member)) for value in by_member[at]]
        drawn.append(sum(taken) / len(taken))
    both = {"x": differences, "none": np.zeros(200)}
    found, none = paired(members, both, seed=9, resamples=300).values()
    assert none == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert found["mean"] == pytest.approx(differences.mean())
    assert found["low"] == pytest.approx(np.percentile(drawn, 2.5))
    assert found["high"] == pytest.approx(np.percentile(drawn, 97.5))


def test_given_few_members_when_resampled_often_then_the_interval_is_that_of_all_possible_draws() -> None:
    values = {"a": [1.0, 2.0, 0.5], "b": [-1.0], "c": [0.25, 0.75], "d": [3.0, -2.0], "e": [0.1]}
    every = [
        sum(sum(values[one], 0.0) for one in draw) / sum(len(values[one]) for one in draw)
        for draw in itertools.product(values, repeat=len(values))
    ]
    members = [name for name, own in values.items() for _ in own]
    differences = np.concatenate([np.array(own) for own in values.values()])
    found = paired(members, {"x": differences}, seed=1, resamples=40_000)["x"]
    for end, share in ((found["low"], 0.025), (found["high"], 0.975)):
        assert np.mean(np.array(every) < end - 1e-9) - 0.003 <= share <= np.mean(np.array(every) <= end + 1e-9) + 0.003


def test_given_no_outcomes_when_compared_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="without outcomes"):
        paired([], {"x": np.array([])}, seed=0)


def test_given_outcomes_when_split_by_what_was_known_then_each_stands_in_its_slice() -> None:
    counts = [0, 1, 2, 3, 4, 9, 10, 29, 30, 900]
    outcomes = Outcomes([key(at, "m", known) for at, known in enumerate(counts)], {"x": [0, 20, 0, 20, *[19] * 6]})
    found = cold([outcomes, outcomes], "x")["member"]
    assert [one["events"] for one in found] == ["0", "1", "2-3", "4-9", "10-29", "30+"]
    assert [one["outcomes"] for one in found] == [2, 2, 4, 4, 4, 4]
    assert [one["ndcg_at_10"] for one in found] == [1.0, 0.0, 0.5, 0.0, 0.0, 0.0]
    assert [one["hit_rate_at_20"] for one in found] == [1.0, 0.0, 0.5, 1.0, 1.0, 1.0]
