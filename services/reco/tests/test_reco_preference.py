"""Decisions about preferences and impressions: what is recorded, what repeats nothing."""

from __future__ import annotations

from typing import Any

import pytest

from eventfold.testing import Story
from reco.impression.domain import IMPRESSION, Show, Shown
from reco.preference.domain import (
    MARK,
    TASTE,
    ChooseInterests,
    ContentExcluded,
    ContentHidden,
    ContentIncluded,
    ContentUnhidden,
    Exclude,
    Hide,
    Include,
    InterestsChosen,
    PersonalisationSwitched,
    SwitchPersonalisation,
    Unhide,
)

TASTES, MARKS = Story(TASTE.decider), Story(MARK.decider)


@pytest.mark.parametrize(
    ("story", "command", "event"),
    [
        (TASTES, SwitchPersonalisation(False), PersonalisationSwitched(False)),
        (TASTES.given(PersonalisationSwitched(False)), SwitchPersonalisation(True), PersonalisationSwitched(True)),
        (TASTES, ChooseInterests(("a", "b")), InterestsChosen(("a", "b"))),
        (TASTES.given(InterestsChosen(("a",))), ChooseInterests(()), InterestsChosen(())),
        (MARKS, Hide("hide"), ContentHidden("hide")),
        (MARKS.given(ContentHidden("hide")), Hide("not_interested"), ContentHidden("not_interested")),
        (MARKS.given(ContentHidden("hide")), Unhide(), ContentUnhidden()),
        (MARKS, Exclude(), ContentExcluded()),
        (MARKS.given(ContentExcluded()), Include(), ContentIncluded()),
    ],
)
def test_given_a_state_when_a_choice_differs_then_it_is_recorded_once(
    story: Story[Any, Any, Any], command: Any, event: Any
) -> None:
    story.when(command).then(event)
    story.when(command).again()


@pytest.mark.parametrize(
    ("story", "command"),
    [
        (TASTES, SwitchPersonalisation(True)),
        (TASTES, ChooseInterests(())),
        (MARKS, Unhide()),
        (MARKS, Include()),
        (MARKS.given(ContentHidden("hide"), ContentUnhidden()), Unhide()),
        (MARKS.given(ContentExcluded(), ContentIncluded()), Include()),
    ],
)
def test_given_a_state_when_a_choice_is_so_already_then_nothing_is_recorded(
    story: Story[Any, Any, Any], command: Any
) -> None:
    story.when(command).then()


def test_given_hidden_content_when_it_is_also_excluded_then_each_is_taken_back_alone() -> None:
    both = MARKS.given(ContentHidden("hide"), ContentExcluded())
    both.when(Unhide()).then(ContentUnhidden()).when(Include()).then(ContentIncluded())


def test_given_an_answer_when_it_is_shown_again_then_one_impression_is_recorded() -> None:
    shown = Shown("home", "hybrid", "1", None, None, True, ())
    Story(IMPRESSION.decider).when(Show(shown)).then(shown).when(Show(shown)).then()
