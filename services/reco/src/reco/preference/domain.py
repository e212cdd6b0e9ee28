"""Two kinds of stream: a member's taste, and what a member says about one content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from eventfold import Decider, Stored, StreamType

Reason = Literal["hide", "not_interested"]


@dataclass(frozen=True, slots=True)
class SwitchPersonalisation:
    """Recommend by the member's own behaviour, or as for anybody."""

    on: bool


@dataclass(frozen=True, slots=True)
class ChooseInterests:
    """Say which tags one cares about; these replace the ones before. `tags` are sorted, each once."""

    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PersonalisationSwitched:
    """The member switched personal recommendations on or off."""

    on: bool


@dataclass(frozen=True, slots=True)
class InterestsChosen:
    """The member cares about these tags."""

    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taste:
    """A member's choices. Recommendations are personal until they are switched off."""

    personalised: bool = True
    interests: tuple[str, ...] = ()


TasteCommand = SwitchPersonalisation | ChooseInterests
TasteEvent = PersonalisationSwitched | InterestsChosen


def decide_taste(command: TasteCommand, state: Taste) -> Sequence[TasteEvent]:
    """A repeated choice records nothing."""
    match command:
        case SwitchPersonalisation(on):
            return [] if on == state.personalised else [PersonalisationSwitched(on)]
        case ChooseInterests(tags):
            return [] if tags == state.interests else [InterestsChosen(tags)]
        case _:
            assert_never(command)


def evolve_taste(state: Taste, event: TasteEvent) -> Taste:
    """State after one event."""
    match event:
        case PersonalisationSwitched(on):
            return replace(state, personalised=on)
        case InterestsChosen(tags):
            return replace(state, interests=tags)
        case _:
            assert_never(event)


@dataclass(frozen=True, slots=True)
class Hide:
    """Never recommend this content to the member."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Unhide:
    """Recommend it again."""


@dataclass(frozen=True, slots=True)
class Exclude:
    """What the member did with this content no longer drives their recommendations."""


@dataclass(frozen=True, slots=True)
class Include:
    """It does again."""


@dataclass(frozen=True, slots=True)
class ContentHidden:
    """The member wants to see the content no more."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class ContentUnhidden:
    """The member may be recommended the content again."""


@dataclass(frozen=True, slots=True)
class ContentExcluded:
    """The member's signals about the content drive nothing."""


@dataclass(frozen=True, slots=True)
class ContentIncluded:
    """They drive the recommendations again."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the member says about one content. `hidden` is the reason, or None if it is not hidden."""

    hidden: Reason | None = None
    excluded: bool = False


MarkCommand = Hide | Unhide | Exclude | Include
MarkEvent = ContentHidden | ContentUnhidden | ContentExcluded | ContentIncluded


def decide_mark(command: MarkCommand, state: Mark) -> Sequence[MarkEvent]:
    """What is so already records nothing. Another reason for hiding replaces the one before."""
    match command:
        case Hide(reason):
            return [] if reason == state.hidden else [ContentHidden(reason)]
        case Unhide():
            return [] if state.hidden is None else [ContentUnhidden()]
        case Exclude():
            return [] if state.excluded else [ContentExcluded()]
        case Include():
            return [ContentIncluded()] if state.excluded else []
        case _:
            assert_never(command)


def evolve_mark(state: Mark, event: MarkEvent) -> Mark:
    """State after one event."""
    match event:
        case ContentHidden(reason):
            return replace(state, hidden=reason)
        case ContentUnhidden():
            return replace(state, hidden=None)
        case ContentExcluded():
            return replace(state, excluded=True)
        case ContentIncluded():
            return replace(state, excluded=False)
        case _:
            assert_never(event)


def mark_id(member_id: str, content_id: str) -> str:
    """The stream id of a member and a content."""
    return f"{member_id}/{content_id}"


def member_of(stream_id: str) -> str:
    """The member of a stream id: all that a member says shares a partition."""
    return stream_id.split("/", 1)[0]


def content_of(stream_id: str) -> str:
    """The content of a stream id."""
    return stream_id.split("/", 1)[1]


TASTE: Final[StreamType[TasteCommand, Taste, TasteEvent]] = StreamType(
    "taste", Decider(Taste(), decide_taste, evolve_taste)
)
MARK: Final[StreamType[MarkCommand, Mark, MarkEvent]] = StreamType(
    "mark", Decider(Mark(), decide_mark, evolve_mark), partition_key=member_of
)

EVENTS: Final[Stored] = {
    PersonalisationSwitched: ("taste.personalisation_switched", 1),
    InterestsChosen: ("taste.interests_chosen", 1),
    ContentHidden: ("mark.content_hidden", 1),
    ContentUnhidden: ("mark.content_unhidden", 1),
    ContentExcluded: ("mark.content_excluded", 1),
    ContentIncluded: ("mark.content_included", 1),
}
