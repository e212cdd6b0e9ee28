"""What shelves must come to, in plain lists: the oracle of `test_stateful`. It knows nothing of eventfold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

POISON = "poison"
AUDIT = "audit"


@dataclass
class Key:
    """What a projection made of one key's records so far."""

    consumed: int = 0
    applied: list[str] = field(default_factory=list)
    parked: list[tuple[int, str]] = field(default_factory=list)


class Model:
    """Streams as committed, and the projection as a function of how much of them it has consumed."""

    def __init__(self) -> None:
        self.streams: dict[str, list[str]] = defaultdict(list)
        self.keys: dict[str, Key] = defaultdict(Key)
        self.healed = False

    def decide(self, shelf: str, title: str) -> list[str]:
        """The events that adding a book must cause: none for a title that is there, a private one for an audit."""
        return [] if title in self.streams[shelf] and title != AUDIT else [title]

    def committed(self, shelf: str, title: str) -> None:
        self.streams[shelf] += self.decide(shelf, title)

    def public(self, shelf: str) -> list[tuple[int, str]]:
        """Version and title of each public event, in order."""
        return [(n, title) for n, title in enumerate(self.streams[shelf], 1) if title != AUDIT]

    def consumed(self, shelf: str, count: int) -> None:
        """The projection's position has passed `count` public events of the shelf."""
        key = self.keys[shelf]
        assert count >= key.consumed, "a projection never goes back by itself"
        for version, title in self.public(shelf)[key.consumed : count]:
            if key.parked or self._poisons(title):
                key.parked.append((version, title))
            else:
                key.applied.append(title)
        key.consumed = count

    def _poisons(self, title: str) -> bool:
        return title == POISON and not self.healed

    def redrivable(self, shelf: str) -> bool:
        return not any(self._poisons(title) for _, title in self.keys[shelf].parked)

    def redriven(self, shelf: str) -> None:
        key = self.keys[shelf]
        key.applied += [title for _, title in key.parked]
        key.parked.clear()

    def discarded(self, shelf: str, version: int) -> None:
        self.keys[shelf].parked = [one for one in self.keys[shelf].parked if one[0] != version]

    def begun_anew(self) -> None:
        """The projection starts again with nothing."""
        self.keys.clear()

    def rebuilt(self) -> None:
        """What was consumed is folded again from nothing, as it is folded now; what was discarded is back."""
        consumed = {shelf: key.consumed for shelf, key in self.keys.items()}
        self.keys.clear()
        for shelf, count in consumed.items():
            self.consumed(shelf, count)

    def rows(self) -> list[tuple[str, int, str]]:
        return sorted(
            (shelf, len(key.applied), "".join(title + ";" for title in key.applied))
            for shelf, key in self.keys.items()
            if key.applied
        )

    def parked(self) -> list[tuple[str, int]]:
        return sorted((shelf, version) for shelf, key in self.keys.items() for version, _ in key.parked)
