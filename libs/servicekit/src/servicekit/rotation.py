"""Replaces a key: publish the next one, wait until every reader knows it, use it, retire the old one when nothing needs
it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from servicekit.keyring import RELOAD_S, KeyRing, StoredKey

SPARE_S = 5
"""Added to every wait, for operations in progress and for small clock differences."""


@dataclass(frozen=True)
class KeyKind:
    """A kind of key that can be replaced.

    `known_after_s` is how long after its publication the next key may be unknown to readers. `needed_s` is how long
    things made with a key may still be presented. `settle` brings data stored under old keys to the current one, and
    returns how much is left.
    """

    name: str
    file: str
    make: Callable[[], bytes]
    known_after_s: float = RELOAD_S
    needed_s: float = RELOAD_S
    settle: Callable[[], int] = field(default=lambda: 0)


@dataclass(frozen=True)
class Rotation:
    """One replacement, which goes on from any state of the files. `tell` gets a sentence for each step; `clock` is unix
    time."""

    kind: KeyKind
    ring: KeyRing
    tell: Callable[[str], None]
    wait_s: float
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> bool:
        """Replace the key, or finish an earlier run. Blocks for at most `wait_s` in total. Returns False if that was
        not enough: then run it again."""
        give_up_at = self.clock() + self.wait_s
        if self._of("old") and not self._of("next"):
            return self._retire(give_up_at)
        if not self._of("next"):
            self.ring.publish(int(self.clock()))
            self.tell("the next key is published")
        following = self._of("next")[0]
        if not self._due(following.since + self.kind.known_after_s, "until all readers know the next key", give_up_at):
            return False
        self.ring.promote(following, int(self.clock()))
        self.tell("the next key is in use")
        return self._retire(give_up_at)

    def _retire(self, give_up_at: float) -> bool:
        old = self._of("old")
        readers_know = max(key.since for key in old) + RELOAD_S
        if not self._due(readers_know, "until every process uses the new key", give_up_at):
            return False
        if left := self.kind.settle():
            self.tell(f"{left} are still under the old key: run this again")
            return False
        for key in old:
            if not self._due(key.since + RELOAD_S + self.kind.needed_s, "until nothing needs the old key", give_up_at):
                return False
            self.ring.retire(key)
        self.tell("the old key is retired")
        return True

    def _of(self, state: str) -> list[StoredKey]:
        return [key for key in self.ring.stored() if key.state == state]

    def _due(self, at: float, why: str, give_up_at: float) -> bool:
        left_s = at + SPARE_S - self.clock()
        if left_s <= 0:
            return True
        if self.clock() + left_s > give_up_at:
            self.tell(f"waits {left_s:.0f} s {why}: run this again after that")
            return False
        self.tell(f"waits {left_s:.0f} s {why}")
        self.sleep(left_s)
        return True
