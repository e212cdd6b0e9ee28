"""What waits of the lists that members were shown: bounded, each taken content once, weighed by its propensity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco.model.offers import MAX_WEIGHT, WINDOW_US, Choice, Offer, Offers, weight_of
from reco.model.rows import Floats32

AT_US = 10 * WINDOW_US


def offer(
    answer: str = "x", contents: str = "abc", at_us: int = AT_US, member: str = "m", p: float | None = 0.5
) -> Offer:
    return Offer(answer, member, at_us, tuple(contents), (p,) * len(contents))


def features(contents: str) -> Floats32:
    """Each content is told by its one feature."""
    return np.array([[ord(one)] for one in contents], dtype=np.float32)


def kept(*offers: Offer, **bounds: int) -> Offers:
    found = Offers(**bounds)
    for one in offers:
        found.keep(one, features("".join(one.content_ids)))
    return found


def said(choice: Choice | None) -> tuple[str, str, float] | None:
    """What was on offer, what was taken, and the weight."""
    if choice is None:
        return None
    names = "".join(chr(int(one)) for one in choice.features[:, 0])
    return names, names[choice.taken], choice.weight


def test_given_a_list_when_one_of_it_is_taken_then_it_is_a_choice_among_those_shown() -> None:
    assert said(kept(offer()).choose("m", "b", AT_US + 5)) == ("abc", "b", 2.0)


def test_given_a_choice_when_another_follows_then_what_was_taken_is_no_longer_on_offer() -> None:
    found = kept(offer())
    found.choose("m", "b", AT_US + 5)
    assert said(found.choose("m", "b", AT_US + 6)) is None, "taken already"
    assert said(found.choose("m", "a", AT_US + 7)) == ("ac", "a", 2.0)
    assert said(found.choose("m", "c", AT_US + 8)) is None, "there was nothing else to choose"
    assert found.chosen == 2


@pytest.mark.parametrize(
    ("content", "at_us", "member"),
    [
        ("d", AT_US + 5, "m"),
        ("a", AT_US + 5, "n"),
        ("a", AT_US - 1, "m"),
        ("a", AT_US + WINDOW_US, "m"),
    ],
)
def test_given_a_list_when_something_else_is_taken_or_at_another_time_then_it_teaches_nothing(
    content: str, at_us: int, member: str
) -> None:
    assert kept(offer()).choose(member, content, at_us) is None


def test_given_several_lists_with_a_content_when_it_is_taken_then_the_newest_before_counts_and_only_that() -> None:
    found = kept(offer("old", "abc"), offer("new", "bcd", AT_US + 10), offer("later", "bde", AT_US + 99))
    assert said(found.choose("m", "b", AT_US + 50)) == ("bcd", "b", 2.0)
    assert said(found.choose("m", "d", AT_US + 100)) == ("de", "d", 2.0), "b is on offer in no list any more"


@pytest.mark.parametrize(
    ("propensity", "weight"),
    [(1.0, 1.0), (0.25, 4.0), (0.1, MAX_WEIGHT), (0.001, MAX_WEIGHT), (5e-324, MAX_WEIGHT)],
)
def test_given_a_propensity_when_it_is_known_then_the_choice_weighs_its_inverse_up_to_a_bound(
    propensity: float, weight: float
) -> None:
    assert weight_of(propensity) == pytest.approx(weight)


@pytest.mark.parametrize("propensity", [None, 0.0, -0.5, 1.5, float("nan"), float("inf")])
def test_given_no_propensity_or_none_that_is_one_when_taken_then_it_teaches_nothing(propensity: float | None) -> None:
    found = kept(offer(p=propensity))
    assert found.choose("m", "a", AT_US + 5) is None and found.chosen == 0


def test_given_an_answer_that_waits_when_it_comes_again_then_it_is_not_wanted() -> None:
    found = kept(offer("x", "ab"))
    assert not found.wants(offer("x", "ab"))
    for content in "ab":
        found.choose("m", content, AT_US + 5)
    assert not found.wants(offer("x", "ab")), "not even when all of it was taken"
    assert found.wants(offer("y", "ab"))


def test_given_time_that_passes_when_nothing_is_taken_then_the_list_is_dropped_and_not_wanted_again() -> None:
    found = kept(offer("x"), offer("y", at_us=AT_US + WINDOW_US - 1))
    assert len(found) == 2
    found.choose("m", "z", AT_US + WINDOW_US)
    assert (len(found), found.shown) == (1, 3)
    assert not found.wants(offer("x"))


def test_given_a_member_when_forgotten_then_nothing_of_theirs_waits() -> None:
    found = kept(offer("x"), offer("y", member="n"))
    found.forget("m")
    found.forget("nobody")
    assert (len(found), found.shown) == (1, 3) and found.choose("m", "a", AT_US + 5) is None


steps = st.one_of(
    st.builds(
        offer,
        st.sampled_from("vwxyz"),
        st.sampled_from(["ab", "abc", "bcd", "abcdef"]),
        st.integers(AT_US, AT_US + 3 * WINDOW_US),
        st.sampled_from("mn"),
    ),
    st.tuples(st.sampled_from("mn"), st.sampled_from("abcdef"), st.integers(AT_US, AT_US + 3 * WINDOW_US)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=40))
def test_given_any_steps_when_taken_then_the_bounds_hold_and_no_list_teaches_a_content_twice(
    taken: list[Offer | tuple[str, str, int]],
) -> None:
    found, chosen = Offers(max_shown=12), set[tuple[str, str]]()
    for step in taken:
        if isinstance(step, Offer):
            if found.wants(step):
                found.keep(step, features("".join(step.content_ids)))
                chosen = {one for one in chosen if one[0] != step.member_id}
        elif (choice := found.choose(*step)) is not None:
            assert (step[0], step[1]) not in chosen, "it was taken from all lists that waited"
            chosen.add((step[0], step[1]))
            assert said(choice) is not None and len(choice.features) >= 2
        assert found.shown + len(found) <= 12 and found.shown >= 0
