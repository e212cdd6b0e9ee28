"""What one member does with one content item: a stream for each pair, partitioned by member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from eventfold import Decider, Sealed, Stored, StreamType

REMEMBERED_KEYS = 50
"""Client keys that a stream remembers: a key repeated after that many newer acts would count again."""
IMPORTED = "import:"
"""Prefix of the keys of imported acts, which are remembered for ever."""


@dataclass(frozen=True, slots=True)
class View:
    """Look at it; every look counts, unless its `client_key` is known."""

    watched_ms: int
    client_key: str


@dataclass(frozen=True, slots=True)
class Like:
    """Like it; liking twice is liking once."""

    client_key: str = ""


@dataclass(frozen=True, slots=True)
class Unlike:
    """Take the like back."""

    client_key: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """Say something about it."""

    comment_id: str
    text: Sealed
    length_chars: int
    client_key: str


@dataclass(frozen=True, slots=True)
class Share:
    """Pass it on."""

    channel: str
    client_key: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Judge it, 1 to 5; a later rating replaces the earlier."""

    rating: int
    client_key: str = ""


@dataclass(frozen=True, slots=True)
class Complete:
    """Finish it; once."""

    client_key: str = ""


Command = View | Like | Unlike | Comment | Share | Rate | Complete


@dataclass(frozen=True, slots=True)
class Viewed:
    """The member looked at the content."""

    watched_ms: int
    client_key: str


@dataclass(frozen=True, slots=True)
class Liked:
    """The member likes the content."""

    client_key: str = ""


@dataclass(frozen=True, slots=True)
class Unliked:
    """The member no longer likes the content."""

    client_key: str = ""


@dataclass(frozen=True, slots=True)
class Commented:
    """The member commented; the text is sealed under the member's key."""

    comment_id: str
    text: Sealed
    length_chars: int
    client_key: str


@dataclass(frozen=True, slots=True)
class Shared:
    """The member shared the content."""

    channel: str
    client_key: str


@dataclass(frozen=True, slots=True)
class Rated:
    """The member rated the content; `previous` is the rating that this one replaces."""

    rating: int
    previous: int | None
    client_key: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """The member finished the content."""

    client_key: str = ""


@dataclass(frozen=True, slots=True)
class Repeated:
    """An imported act changed nothing. Private; remembered, so that importing it again changes nothing either,
    whatever came after it."""

    client_key: str


Event = Viewed | Liked | Unliked | Commented | Shared | Rated | Completed | Repeated


@dataclass(frozen=True, slots=True)
class Bond:
    """How member and content stand to each other."""

    liked: bool = False
    rating: int | None = None
    completed: bool = False
    client_keys: tuple[str, ...] = ()
    imported: frozenset[str] = frozenset()

    def knows(self, client_key: str) -> bool:
        """Whether this act was recorded before."""
        return client_key != "" and (client_key in self.imported or client_key in self.client_keys)


def decide(command: Command, state: Bond) -> Sequence[Event]:
    """A repeated act records nothing; an imported one that changes nothing is remembered the first time."""
    if state.knows(command.client_key):
        return []
    events = _done(command, state)
    if not events and command.client_key.startswith(IMPORTED):
        return [Repeated(command.client_key)]
    return events


def _done(command: Command, state: Bond) -> Sequence[Event]:
    match command:
        case View(watched_ms, key):
            return [Viewed(watched_ms, key)]
        case Comment(comment_id, text, length_chars, key):
            return [Commented(comment_id, text, length_chars, key)]
        case Share(channel, key):
            return [Shared(channel, key)]
        case Like(key):
            return [] if state.liked else [Liked(key)]
        case Unlike(key):
            return [Unliked(key)] if state.liked else []
        case Rate(rating, key):
            return [] if rating == state.rating else [Rated(rating, state.rating, key)]
        case Complete(key):
            return [] if state.completed else [Completed(key)]
        case _:
            assert_never(command)


def evolve(state: Bond, event: Event) -> Bond:
    """State after one event."""
    state = _remembering(state, event.client_key)
    match event:
        case Viewed() | Commented() | Shared() | Repeated():
            return state
        case Liked():
            return replace(state, liked=True)
        case Unliked():
            return replace(state, liked=False)
        case Rated(rating):
            return replace(state, rating=rating)
        case Completed():
            return replace(state, completed=True)
        case _:
            assert_never(event)


def _remembering(state: Bond, client_key: str) -> Bond:
    if client_key == "":
        return state
    if client_key.startswith(IMPORTED):
        return replace(state, imported=state.imported | {client_key})
    return replace(state, client_keys=(*state.client_keys, client_key)[-REMEMBERED_KEYS:])


def pair(member_id: str, content_id: str) -> str:
    """The stream id of a member and a content item."""
    return f"{member_id}/{content_id}"


def member_of(stream_id: str) -> str:
    """The member half of a stream id: all of a member's interactions share a partition."""
    return stream_id.split("/", 1)[0]


def content_of(stream_id: str) -> str:
    """The content half of a stream id."""
    return stream_id.split("/", 1)[1]


INTERACTION: StreamType[Command, Bond, Event] = StreamType(
    "interaction", Decider(Bond(), decide, evolve), partition_key=member_of, remembered=True
)

EVENTS: Final[Stored] = {
    Viewed: ("interaction.viewed", 1),
    Liked: ("interaction.liked", 1),
    Unliked: ("interaction.unliked", 1),
    Commented: ("interaction.commented", 1),
    Shared: ("interaction.shared", 1),
    Rated: ("interaction.rated", 1),
    Completed: ("interaction.completed", 1),
    Repeated: ("interaction.repeated", 1),
}
