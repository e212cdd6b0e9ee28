"""Similarity and popularity against the definitions written out by hand."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventfold.errors import NotFound
from reco.model.model import Model
from reco.model.settings import Settings
from reco.recommendation.application import answers
from reco.recommendation.application.answers import Suggestion, Wish, popular, similar
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.pairs import Bounds
from reco.recommendation.application.placing import Rules
from reco.recommendation.application.scoring import FAMILIES, REASONS, TREND, family_of
from reco.recommendation.projections import ItemRow, PairRow


def model() -> Model:
    return Model(Settings(), np.random.default_rng(1))


START = datetime(2026, 1, 1, tzinfo=UTC)
Had = dict[str, list[str]]
HAD: Had = {"m1": ["a", "b"], "m2": ["a", "b", "c"], "m3": ["a", "c"], "m4": ["d"]}


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def pair(member: str, content: str, first: datetime = START) -> PairRow:
    return PairRow(member, content, 10, None, None, first, first)


def item(content: str, published_at: datetime = START) -> ItemRow:
    return ItemRow(content, "creator", "text", f"Title {content}", [], None, published_at, "free", None)


def built(had: Had, items: str = "abcde", bounds: Bounds = Bounds(100, 1000, 100)) -> Copy:  # noqa: B008 - frozen
    pairs = Copy(bounds, model)
    pairs.take_pairs([pair(member, content) for member, contents in had.items() for content in contents])
    pairs.take_items([item(content) for content in items])
    return pairs


def recommend(copy: Copy, member_id: str, as_of: datetime | None, limit: int) -> list[Suggestion]:
    wish = Wish(member_id, "items", limit, now=at(999), as_of=as_of)
    return answers.recommend(copy, wish, Rules(per_creator=99, explored_share=0.0), random.Random(0))


def ids(found: list[Suggestion]) -> list[str]:
    return [one.content_id for one in found]


def test_a_score_sums_cosine_co_counts_over_the_history() -> None:
    found = recommend(built(HAD), "m1", None, 10)
    score_c = 2 / math.sqrt(3 * 2) + 1 / math.sqrt(2 * 2)
    assert found[0] == Suggestion(
        "c", "Title c", round(score_c, 9), "similar", creator_id="creator", kind="text", source="similar"
    )


def test_what_the_member_has_is_left_out_and_the_rest_filled_by_popularity_with_score_0() -> None:
    found = recommend(built(HAD), "m1", None, 10)
    assert [(one.content_id, one.reason) for one in found] == [("c", "similar"), ("d", "popular"), ("e", "popular")]
    assert [one.score for one in found[1:]] == [0.0, 0.0]


def test_a_member_without_history_gets_what_most_members_had() -> None:
    assert ids(recommend(built(HAD), "unknown", None, 3)) == ["a", "b", "c"]


def test_ties_go_to_the_more_popular_then_to_the_smaller_id() -> None:
    had = {"m1": ["a", "d"], "m2": ["a", "c"], "m3": ["a", "b"], "m4": ["b"]}
    assert ids(recommend(built({**had, "me": ["a"]}), "me", None, 3)) == ["c", "d", "b"]
    assert ids(popular(built(had), None, 5)) == ["a", "b", "c", "d", "e"]


def test_similar_content_comes_with_its_cosine() -> None:
    found = similar(built(HAD), "b", None, 10)
    assert [(one.content_id, one.score) for one in found] == [("a", round(2 / math.sqrt(6), 9)), ("c", 0.5)]


def test_similar_to_unknown_content_is_not_found() -> None:
    with pytest.raises(NotFound):
        similar(built(HAD), "nothing", None, 10)


def test_products_that_are_no_content_count_for_nothing() -> None:
    had = {"m1": ["a", "membership"], "m2": ["b", "membership"]}
    pairs = built(had)
    assert [one for one in recommend(pairs, "m1", None, 9) if one.reason == "similar"] == []
    assert "membership" not in ids(popular(pairs, None, 9))


def test_content_may_arrive_after_what_members_did_with_it() -> None:
    pairs = built({"m1": ["a"], "m2": ["a", "z"]})
    assert "z" not in ids(recommend(pairs, "m1", None, 9))
    pairs.take_items([item("z")])
    assert ids(recommend(pairs, "m1", None, 9))[0] == "z"


def test_as_of_sees_neither_later_signals_nor_later_content() -> None:
    pairs = Copy(Bounds(100, 1000, 100), model)
    pairs.take_items([item("a"), item("b"), item("c", at(50))])
    pairs.take_pairs([pair("m1", "a", at(1)), pair("m2", "a", at(2)), pair("m2", "b", at(3)), pair("m2", "c", at(60))])
    assert [one.reason for one in recommend(pairs, "m1", at(2), 9)] == ["popular"]
    assert [one.reason for one in recommend(pairs, "m1", at(3), 9)] == ["similar"]
    assert ids(recommend(pairs, "m1", None, 9)) == ["b", "c"]
    assert ids(recommend(pairs, "m1", at(0), 9)) == ["a", "b"]
    with pytest.raises(NotFound):
        similar(pairs, "c", at(49), 9)


def test_a_signal_that_an_import_dates_back_moves_the_pair_back() -> None:
    pairs = Copy(Bounds(100, 1000, 100), model)
    pairs.take_items([item("a")])
    pairs.take_pairs([pair("m1", "a", at(9))])
    assert popular(pairs, at(5), 1)[0].score == 0.0
    pairs.take_pairs([pair("m1", "a", at(4))])
    assert popular(pairs, at(5), 1)[0].score == 1.0


def test_rows_seen_again_change_nothing() -> None:
    once, twice = built(HAD), built(HAD)
    twice.take_pairs([pair(member, content) for member, contents in HAD.items() for content in contents])
    assert twice.pairs.size == once.pairs.size and recommend(twice, "m1", None, 9) == recommend(once, "m1", None, 9)


def test_only_the_newest_part_of_a_long_history_scores_and_all_of_it_is_left_out() -> None:
    pairs = Copy(Bounds(100, 1000, max_history_items=1), model)
    pairs.take_items([item(content) for content in "abcd"])
    pairs.take_pairs([pair("m1", "a", at(1)), pair("m1", "b", at(2))])
    pairs.take_pairs([pair("m2", "a"), pair("m2", "c"), pair("m3", "b"), pair("m3", "d")])
    assert [(one.content_id, one.reason) for one in recommend(pairs, "m1", None, 9)] == [
        ("d", "similar"),
        ("c", "popular"),
    ]


def test_pairs_and_items_beyond_the_bounds_are_left_out_and_counted() -> None:
    pairs = built({"m1": ["a", "b"], "m2": ["a", "b", "c"]}, "abc", Bounds(2, 3, 10))
    assert (pairs.pairs.size, pairs.pairs.left_out) == (3, 2)


def test_given_the_columns_of_the_model_then_each_has_a_reason_and_each_method_its_columns() -> None:
    families = {family_of(column) for column in model().columns}
    assert families == set(REASONS)
    assert {one for several in FAMILIES.values() for one in several} <= families and TREND in families


MEMBERS = st.sampled_from([f"m{n}" for n in range(8)])
MATRICES = st.dictionaries(MEMBERS, st.lists(st.sampled_from("abcdefg"), unique=True))


@given(had=MATRICES, me=MEMBERS)
def test_the_two_passes_equal_the_definition(had: Had, me: str) -> None:
    pairs = built(had, "abcdefg")
    expected = _by_definition(had, me)
    assert [(one.content_id, one.score) for one in recommend(pairs, me, None, 9) if one.reason == "similar"] == expected


def _by_definition(had: Had, me: str) -> list[tuple[str, float]]:
    members = {content: {member for member, own in had.items() if content in own} for content in "abcdefg"}
    scored = []
    mine = had.get(me, [])
    for j in sorted(set("abcdefg") - set(mine)):
        total = sum(_similarity(members[i], members[j]) for i in mine)
        if round(total, 9) > 0:
            scored.append((j, float(np.round(total, 9))))
    return sorted(scored, key=lambda one: (-one[1], -len(members[one[0]]), one[0]))


def _similarity(one: set[str], other: set[str]) -> float:
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0
