"""Decisions told as given, when, then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from eventfold import Decider

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")
R = TypeVar("R", bound=Exception)


@dataclass(frozen=True, slots=True)
class Story(Generic[C, S, E]):
    """The past events of a stream.

    Story(DECIDER).given(BookAdded("a")).when(LendBook("a", "m1")).then(BookLent("a", "m1"))
    Story(DECIDER).when(LendBook("a", "m1")).refused(NotFound, field="title")
    """

    decider: Decider[C, S, E]
    events: tuple[E, ...] = ()

    def given(self, *events: E) -> Story[C, S, E]:
        """Add events that happened, in this order."""
        return replace(self, events=(*self.events, *events))

    def when(self, command: C) -> Decision[C, S, E]:
        """A command to decide against the state after these events."""
        return Decision(self, command)


@dataclass(frozen=True, slots=True)
class Decision(Generic[C, S, E]):
    """A command. It is decided when the expected result is stated."""

    story: Story[C, S, E]
    command: C

    def then(self, *events: E) -> Story[C, S, E]:
        """Expect exactly these events to be recorded; without arguments, expect none. Returns the story with them, so
        that it can go on. Raises AssertionError for another result, and the errors of the decider."""
        decided = self._decided()
        if decided != list(events):
            raise AssertionError(self._told(f"then   {list(events)}\nbut    {decided}"))
        return self.story.given(*events)

    def again(self) -> None:
        """Expect that the command, repeated after its own events, records nothing. Raises AssertionError if it records
        something."""
        self.story.given(*self._decided()).when(self.command).then()

    def refused(self, kind: type[R], *, field: str | None = None) -> R:
        """Expect the decider to raise a `kind`, with this `field` if one is given. Returns the error. Raises
        AssertionError if it decides, or names another field."""
        try:
            decided = self._decided()
        except kind as refusal:
            named = getattr(refusal, "field", None)
            if field is not None and named != field:
                raise AssertionError(self._told(f"then   {kind.__name__} of {field}\nbut    of {named}")) from refusal
            return refusal
        raise AssertionError(self._told(f"then   {kind.__name__}\nbut    {decided}"))

    def _decided(self) -> Sequence[E]:
        decider = self.story.decider
        return list(decider.decide(self.command, decider.fold(list(self.story.events))))

    def _told(self, outcome: Any) -> str:
        return f"given  {list(self.story.events)}\nwhen   {self.command}\n{outcome}"
