"""What the model recommends, and to whom: the rules that hold whatever has been learned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco.model.model import Model
from reco.model.rows import DAY_US, SECOND_US, Item, Pair
from reco.model.settings import Settings
from reco.model.state import StateRefused

NOW_US = 1_000 * DAY_US
CONTENTS = "abcdefgh"


def pair(member: str, content: str, at_us: int = NOW_US - DAY_US, strength: float = 1.0) -> Pair:
    return Pair(member, content, at_us, at_us, strength)


def built(*rows: Pair, items: str = CONTENTS, chosen: Settings = Settings(replay=64)) -> Model:  # noqa: B008 - frozen
    model = Model(chosen, np.random.default_rng(0))
    model.take_items([Item(content) for content in items])
    model.take(rows)
    model.settle()
    return model


def scores(model: Model, member: str) -> dict[str, float]:
    """The score of each candidate by content, best first."""
    found = model.ranked(member, NOW_US)
    return dict(zip(map(model.standing.items.name, found.items.tolist()), found.scores.tolist(), strict=True))


def ids(model: Model, member: str, limit: int = 20) -> list[str]:
    return [*scores(model, member)][:limit]


def why(model: Model, member: str, content: str) -> tuple[str, str]:
    """The column that speaks most for a content, and the content of the history that does."""
    (found,) = model.explained(member, NOW_US, [content])
    return found


def crowd(*histories: str) -> list[Pair]:
    start = NOW_US - DAY_US
    return [
        pair(f"crowd{at}", content, start + at * 100 * SECOND_US + place * SECOND_US)
        for at, history in enumerate(histories)
        for place, content in enumerate(history)
    ]


def test_given_a_member_when_ranked_then_nothing_met_hidden_or_withdrawn_is_offered() -> None:
    model = built(pair("m", "a"), pair("m", "b", strength=-1.0), *crowd("abcd", "cde"))
    model.take_items([Item("c", published=False)])
    assert set(ids(model, "m")) == set(CONTENTS) - set("abc")
    model.take_items([Item("c", published=True)])
    assert "c" in ids(model, "m")


def test_given_rows_of_content_that_was_never_published_when_ranked_then_it_is_not_offered() -> None:
    model = built(*crowd("az", "bz"))
    assert "z" not in ids(model, "n")


def test_given_an_unknown_member_when_ranked_then_what_many_took_to_of_late_comes_first() -> None:
    old = [pair(f"old{at}", "a", NOW_US - 300 * DAY_US) for at in range(6)]
    new = [pair(f"new{at}", "b", NOW_US - DAY_US) for at in range(5)]
    model = built(*old, *new)
    assert ids(model, "unknown")[:2] == ["b", "a"]
    assert why(model, "unknown", "b")[1] == ""


def test_given_members_alike_when_ranked_then_what_they_took_to_comes_first_with_its_reason() -> None:
    model = built(pair("m", "a"), *crowd("ab", "ab", "ab", "cd", "cd", "cd", "ef", "ef"))
    assert ids(model, "m", 1) == ["b"]
    column, because = why(model, "m", "b")
    assert column in model.columns and because == "a"


def test_given_new_content_when_its_tags_are_those_of_the_history_then_it_is_before_other_new_content() -> None:
    model = built(pair("m", "a"))
    model.take_items([Item("a", tags=("go", "art"), category="x"), Item("h", tags=("go", "art"), category="x")])
    model.take_items([Item("b", tags=("tea",)), Item("c", tags=("sea",))])
    assert ids(model, "m")[0] == "h"


def test_given_a_hidden_content_when_ranked_then_what_goes_with_it_falls() -> None:
    rows = [pair("m", "a"), *crowd("ab", "ab", "ac", "ac", "db", "db")]
    found = [scores(model, "m") for model in (built(*rows), built(*rows, pair("m", "d", strength=-1.0)))]
    before, after = (one["b"] - one["c"] for one in found)
    assert after < before - 0.5


def test_given_no_content_when_ranked_then_the_answer_is_empty() -> None:
    assert ids(built(items=""), "m") == []
    assert ids(built(*[pair("m", content) for content in CONTENTS]), "m") == []


extreme = st.sampled_from([0, 1, SECOND_US, NOW_US, NOW_US + DAY_US, 10**15, 4 * 10**18])
rows = st.builds(
    lambda member, content, at_us, strength: Pair(member, content, at_us, at_us, strength),
    st.sampled_from("mnop"),
    st.sampled_from(CONTENTS),
    extreme,
    st.sampled_from([1.0, -1.0, 1e308, float("nan"), float("inf")]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, max_size=25), extreme)
@pytest.mark.filterwarnings("error")
def test_given_extreme_rows_when_scored_then_every_number_is_finite(taken: list[Pair], now_us: int) -> None:
    model = built()
    model.take(taken, learn=True)
    model.settle()
    model.sweep()
    for member in "mq":
        found = model.ranked(member, now_us)
        assert len(found.items) >= len(CONTENTS) - len(taken)
        assert np.isfinite(found.scores).all() and np.isfinite(found.panel.scores).all()


def test_given_many_items_when_ranked_then_candidates_are_bounded_and_best_first() -> None:
    chance = np.random.default_rng(0)
    model = Model(Settings(replay=64, candidates_per_source=10), np.random.default_rng(0))
    model.take_items([Item(f"c{at}") for at in range(2_000)])
    model.take([pair(f"m{chance.integers(50)}", f"c{chance.integers(2_000)}", NOW_US - at) for at in range(3_000)])
    model.settle()
    ranking = model.ranked("m1", NOW_US)
    assert 10 <= len(ranking.items) <= 10 * len(model.columns)
    assert (np.diff(ranking.scores) <= 0).all()
    assert len(set(ranking.items.tolist())) == len(ranking.items)


def test_given_more_items_than_matrices_may_hold_when_taken_then_the_other_parts_go_on_alone() -> None:
    rows = crowd("abcd", "abce", "abce", "bcfa")
    model = built(*rows, items="abcdef", chosen=Settings(replay=64, max_dense_items=6))
    assert np.isfinite(model.view("crowd0", NOW_US).spreads[model.columns.index("ease.10")])
    model.take_items([Item("g")])
    model.take([pair("m", "a")], learn=True)
    model.settle()
    model.sweep()
    assert len(model.gram) == 0
    assert not np.isfinite(model.view("crowd0", NOW_US).spreads[model.columns.index("ease.10")])
    assert set(ids(model, "crowd0")) == set("efg")
    assert why(model, "m", ids(model, "m", 1)[0])[1] in {"a", ""}


def test_given_names_of_parts_when_built_then_only_these_score() -> None:
    model = built(*crowd("ab", "ab"), chosen=Settings(replay=64, parts=("popular", "markov")))
    assert {name.partition(".")[0] for name in model.columns} == {"popular", "markov"}
    assert ids(model, "n")[:2] in (["a", "b"], ["b", "a"])


@pytest.mark.parametrize("part", ["cosine", "ease", "markov", "users", "sessions", "als", "local"])
def test_given_one_part_alone_when_ranked_then_it_finds_what_goes_with_the_history(part: str) -> None:
    model = built(pair("m", "a"), *crowd(*["ab"] * 4, *["cd"] * 6), chosen=Settings(replay=64, parts=(part,)))
    model.sweep()
    assert ids(model, "m", 1) == ["b"]


class Alphabet:
    """Vectors of three numbers: early letters point one way, late ones the other."""

    dimensions = 3

    def item(self, item: Item) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None:
        early = item.content_id < "e"
        return np.array([early, not early, 0.0], dtype=np.float32)

    def chosen(self, interests: Iterable[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None:
        return np.array([0.0, 1.0], dtype=np.float32) if "late" in interests else None


def test_given_vectors_from_outside_when_ranked_then_the_history_points_the_way() -> None:
    model = built(*crowd("ab"), chosen=Settings(replay=64, parts=("given",)))
    model.give(Alphabet())
    assert set(ids(model, "crowd0", 2)) == {"c", "d"}
    model.take_items([Item("z")])
    assert set(ids(model, "crowd0", 2)) == {"c", "d"}, "what comes later gets its vector, too"


def test_given_a_new_member_when_interests_are_chosen_then_they_point_the_way() -> None:
    model = built(chosen=Settings(replay=64, parts=("given", "content")))
    model.give(Alphabet())
    model.take_items([Item("g", tags=("late",))])
    model.choose("new", ("late",))
    assert ids(model, "new", 1) == ["g"] and set(ids(model, "new", 4)) == set("efgh")
    model.choose("new", ())
    assert model.standing.profile("new", 0).interests == ()


def learned() -> Model:
    model = built(*crowd("abcd", "abce", "bcfa"))
    model.sweep()
    for at, history in enumerate(["abce", "bcea", "fabc", "ecba"] * 12):
        for place, content in enumerate(history):
            model.take([pair(f"late{at}", content, NOW_US - DAY_US // 2 + at * SECOND_US + place)], learn=True)
    return model


def test_given_what_was_learned_when_a_new_model_goes_on_from_it_then_both_rank_alike() -> None:
    one = learned()
    one.settle()
    one.sweep()
    other = built(*crowd("abcd", "abce", "bcfa"))
    for at, history in enumerate(["abce", "bcea", "fabc", "ecba"] * 12):
        other.take(
            [
                pair(f"late{at}", content, NOW_US - DAY_US // 2 + at * SECOND_US + place)
                for place, content in enumerate(history)
            ]
        )
    other.settle()
    other.sequences.sweep(len(other.standing.items))
    other.from_bytes(one.to_bytes())
    mine, theirs = (scores(model, "crowd0") for model in (one, other))
    assert [*mine] == [*theirs] and mine == pytest.approx(theirs, abs=1e-3)


def test_given_bytes_that_are_no_state_when_loaded_then_they_are_refused_and_nothing_changes() -> None:
    model = learned()
    before = scores(model, "crowd0")
    for state in (b"", b"state", model.to_bytes()[:200], built(chosen=Settings(replay=64, nets=2)).to_bytes()[:-40]):
        with pytest.raises(StateRefused):
            model.from_bytes(state)
    assert scores(model, "crowd0") == before


def test_given_long_work_under_way_when_rows_come_meanwhile_then_nothing_of_them_is_lost() -> None:
    """What changes between the start of a job and its end is in the next one."""
    late = [pair(f"late{at}", content) for at in range(70) for content in "abc"[at % 2 :]]
    model, whole = built(*crowd("abcd", "abce")), built(*crowd("abcd", "abce"))
    whole.take(late)
    whole.settle()
    model.take(late[:140])
    for job in model.due():
        adopt = job()
        model.take(late[140:])
        assert ids(model, "crowd0")
        adopt()
    model.settle()
    assert np.abs(model.inverse.values - whole.inverse.values).max() < 1e-8
