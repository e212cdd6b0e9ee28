"""The releases that answered one question: each is made once for a position of the data, and stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eventfold import Decider, Stored, StreamType
from metrics.release.domain.budget import owner_of
from metrics.release.domain.loss import Accounting, Loss
from metrics.release.domain.mechanism import Mechanism

POSITIONS_REMEMBERED: Final = 8
"""How many of the newest releases of a question are known by their position. An older position that comes again, after
a restore, is paid for again."""


@dataclass(frozen=True, slots=True)
class Source:
    """How far a projection had read one partition: its highest `seq`."""

    projection: str
    topic: str
    partition: int
    seq: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """One noisy number, and the half width of the 95% interval of its noise. `partition` names the place in a
    histogram, or the tag; empty where there is one number only."""

    name: str
    partition: str
    value: int
    half_width: int
    mechanism: Mechanism


@dataclass(frozen=True, slots=True)
class ReleaseMade:
    """Noisy numbers were drawn, paid for and released. `question` is normalised JSON. `selection` says by which
    mechanism partitions were chosen, if they were. If `is_suppressed`, numbers were drawn and paid for, but too few
    members stand behind them, and they are not kept. `public` are numbers without noise that are known to all, such as
    how many creators there are. `is_open`: paid for a caller who does not answer for the budget."""

    release_id: str
    owner: str
    period: str
    question: str
    position: str
    sources: tuple[Source, ...]
    accounting: Accounting
    loss: Loss
    is_open: bool
    is_suppressed: bool
    drawn: tuple[Drawn, ...]
    selection: Mechanism | None
    public: dict[str, int]
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Releases:
    """The newest releases of one question, oldest first; `version` counts all."""

    version: int = 0
    newest: tuple[ReleaseMade, ...] = ()

    def at(self, position: str) -> ReleaseMade | None:
        """The release at a position of the data."""
        return next((one for one in reversed(self.newest) if one.position == position), None)

    @property
    def last(self) -> ReleaseMade | None:
        """The newest release."""
        return self.newest[-1] if self.newest else None


def decide(command: ReleaseMade, state: Releases) -> Sequence[ReleaseMade]:
    """A position that was released already records nothing."""
    return [] if state.at(command.position) else [command]


def evolve(state: Releases, event: ReleaseMade) -> Releases:
    """State after one event."""
    return Releases(state.version + 1, (*state.newest, event)[-POSITIONS_REMEMBERED:])


def release_stream_id(owner: str, key: str) -> str:
    """The stream id of the releases that answer the question with this key about an owner's data."""
    return f"{owner}/{key}"


RELEASES: Final[StreamType[ReleaseMade, Releases, ReleaseMade]] = StreamType(
    "release", Decider(Releases(), decide, evolve), partition_key=owner_of
)

EVENTS: Final[Stored] = {ReleaseMade: ("release.made", 1)}
