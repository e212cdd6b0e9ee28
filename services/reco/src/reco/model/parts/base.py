"""What a part is: one way of scoring all items for one member at one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from reco.model.books import Change
from reco.model.rows import Floats, Floats32, Ints


@dataclass(frozen=True)
class Profile:
    """A member as the parts see one: the newest items first.

    `items`: the newest positives, at most `max_profile`; `times_us`: of their first signals; `disliked`: items with a
    strength of 0 or below; `had`: all items with a row; `length`: positives in the history, those beyond `items` too;
    `interests`: tags that the member chose.
    """

    member: int
    now_us: int
    items: Ints
    times_us: Ints
    disliked: Ints
    had: Ints
    length: int
    interests: tuple[str, ...] = ()

    def recency(self, half_life: float) -> Floats:
        """A weight for each of `items`: 1 for the newest, half as much every `half_life` items."""
        return np.asarray(0.5 ** (np.arange(len(self.items)) / half_life))


Adopt = Callable[[], None]
"""Takes the result of a job over. Quick."""
Job = Callable[[], Adopt]
"""Long work on a copy of what it needs, so that another thread may do it while rows are taken and members scored."""


class Part(Protocol):
    """A part keeps what it needs as changes come, and scores when it is asked. Pure: time and chance are passed in."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the scores that the part gives."""

    def change(self, change: Change) -> None:
        """Take one update of one history. The timeline is already in its state after the change."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """A score for each of `count` items by column; higher is better. Absent column: nothing to say."""
