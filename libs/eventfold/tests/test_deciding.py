"""The kit for decisions says what came otherwise."""

from __future__ import annotations

import pytest
from shelf import DECIDER, AddBook, BookAdded

from eventfold.errors import NotFound, WrongState
from eventfold.testing import Story


def test_a_story_that_goes_as_told_goes_on() -> None:
    story = Story(DECIDER).when(AddBook("a")).then(BookAdded("a"))
    story.when(AddBook("b")).then(BookAdded("b")).when(AddBook("a")).then()
    story.when(AddBook("b")).again()
    assert isinstance(story.when(AddBook("")).refused(WrongState), WrongState)


def test_other_events_are_told_beside_those_that_were_to_come() -> None:
    with pytest.raises(AssertionError) as told:
        Story(DECIDER).given(BookAdded("a")).when(AddBook("b")).then(BookAdded("c"))
    assert str(told.value).splitlines() == [
        "given  [BookAdded(title='a')]",
        "when   AddBook(title='b')",
        "then   [BookAdded(title='c')]",
        "but    [BookAdded(title='b')]",
    ]


def test_a_refusal_that_does_not_come_or_comes_of_another_field_is_told() -> None:
    with pytest.raises(AssertionError, match="then   NotFound"):
        Story(DECIDER).when(AddBook("a")).refused(NotFound)
    with pytest.raises(AssertionError, match="WrongState of colour"):
        Story(DECIDER).when(AddBook("")).refused(WrongState, field="colour")
    with pytest.raises(WrongState):
        Story(DECIDER).when(AddBook("")).refused(NotFound)
