"""Keys that are replaced while everything runs: files in KEY_DIR, read by every process as they change.

Of a kind `signing.pem` there is always the current key under that name. Beside it may lie the next,
`signing.pem.next.<unix seconds of its publication>`, which readers know and nothing is made with yet, and old ones,
`signing.pem.old.<unix seconds of their replacement>`, which readers still accept. Each step is one link or one rename,
so whoever is killed leaves a state that the next run goes on from, and there never is a moment without a current key.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from servicekit.keys import key_file

RELOAD_S = 5.0
"""The longest that a process goes on with the files as it last read them."""
_MARKED = re.compile(r"(next|old)\.(\d{1,12})")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as its file holds it. `state` is current, next or old; `since` its publication or replacement (unix
    seconds; 0 for the current)."""

    path: Path
    state: str
    since: int
    content: bytes


class KeyRing:
    """The keys of one kind in one folder. `clock` gives seconds that never go back, for rereading."""

    def __init__(
        self, folder: Path, name: str, make: Callable[[], bytes], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._name = name
        self._make = make
        self._clock = clock
        self._read: tuple[bytes, ...] = ()
        self._read_at = float("-inf")

    def keys(self) -> Sequence[bytes]:
        """The current key, and after it all others that count. Makes the first one; reads the files anew at most every
        `RELOAD_S`. Raises OSError where they cannot be read and never could."""
        if self._clock() - self._read_at >= RELOAD_S:
            self.reload()
        return self._read

    def reload(self) -> None:
        """Read the files now. Keeps what it knows where the folder is out of reach for a moment."""
        try:
            current = key_file(self._folder, self._name, self._make)
            others = [key.content for key in self.stored() if key.content != current]
        except OSError:
            if not self._read:
                raise
        else:
            self._read = tuple(dict.fromkeys([current, *others]))
        self._read_at = self._clock()

    def stored(self) -> list[StoredKey]:
        """Every file of the ring: current, next, then old ones, the last replaced first. Makes none."""
        order = {"current": 0, "next": 1, "old": 2}
        return sorted(self._files(), key=lambda key: (order[key.state], -key.since))

    def _files(self) -> Iterator[StoredKey]:
        for path in self._folder.glob(f"{self._name}*") if self._folder.is_dir() else ():
            marked = _MARKED.fullmatch(path.name.removeprefix(f"{self._name}."))
            with contextlib.suppress(FileNotFoundError):  # retired meanwhile
                if path.name == self._name:
                    yield StoredKey(path, "current", 0, path.read_bytes())
                elif marked:
                    yield StoredKey(path, marked[1], int(marked[2]), path.read_bytes())

    def publish(self, now: int) -> None:
        """Make the next key: whoever reads the ring knows it from here on."""
        key_file(self._folder, f"{self._name}.next.{now}", self._make)

    def promote(self, following: StoredKey, now: int) -> None:
        """Make the next key the current one, and the current an old one."""
        with contextlib.suppress(FileExistsError):  # who was killed between the two, a moment ago
            os.link(self._folder / self._name, self._folder / f"{self._name}.old.{now}")
        following.path.replace(self._folder / self._name)

    def retire(self, old: StoredKey) -> None:
        """Delete an old key for ever."""
        old.path.unlink(missing_ok=True)
