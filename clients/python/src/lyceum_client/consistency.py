"""Reading what one has written: the tokens that a session's calls have to wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

MOST: Final = 8
"""More tokens the gateway does not take with one call."""


class Written:
    """The newest tokens of a session, and which readers (calls, by their names) have applied them. Of more than 8 the
    oldest are forgotten: what they stand for is by then applied almost everywhere."""

    def __init__(self) -> None:
        self._tokens: deque[str] = deque(maxlen=MOST)
        self._applied: dict[str, set[str]] = {}

    def wrote(self, token: str) -> None:
        """A command has answered with this token."""
        if token and token not in self._tokens:
            self._tokens.append(token)
            for applied in self._applied.values():
                applied.intersection_update(self._tokens)

    def missing(self, reader: str, asked: Sequence[str] = ()) -> tuple[str, ...]:
        """The tokens that this reader waits for: those asked for, and those it is not known to have applied."""
        applied = self._applied.get(reader, set())
        own = (one for one in reversed(self._tokens) if one not in applied)
        return tuple(dict.fromkeys([*asked, *own]))[:MOST]

    def applied(self, reader: str, tokens: Sequence[str]) -> None:
        """This reader has said that it has applied these."""
        self._applied.setdefault(reader, set()).update(one for one in tokens if one in self._tokens)
