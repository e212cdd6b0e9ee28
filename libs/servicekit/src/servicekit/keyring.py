"""Keys that are replaced while everything runs: files in KEY_DIR, which every process reads again when they change.

For a kind `signing.pem`, the current key always has that name. Beside it there may be the next key,
`signing.pem.next.<unix seconds of its publication>`: readers know it, but nothing is made with it yet. There may also
be old keys, `signing.pem.old.<unix seconds of their replacement>`, which readers still accept. Each step is one link or
one rename. So a killed run leaves a state from which the next run goes on, and there is never a moment without a
current key.
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
"""The longest time that a process uses the files as it last read them."""
_MARKED = re.compile(r"(next|old)\.(\d{1,12})")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as read from its file. `state` is current, next or old; `since` is its publication or replacement (unix
    seconds; 0 for the current key)."""

    path: Path
    state: str
    since: int
    content: bytes


class KeyRing:
    """The keys of one kind in one folder. `clock` returns seconds and never goes back; it is used for rereading."""

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
        """The current key, followed by all others that are accepted. Makes the first key. Reads the files anew at most
        every `RELOAD_S`. Raises OSError if they cannot be read and never could."""
        if self._clock() - self._read_at >= RELOAD_S:
            self.reload()
        return self._read

    def reload(self) -> None:
        """Read the files now. Keeps the known keys if the folder is unreachable for a moment."""
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
        """Make the next key. From here on, every reader of the ring knows it."""
        key_file(self._folder, f"{self._name}.next.{now}", self._make)

    def promote(self, following: StoredKey, now: int) -> None:
        """Make the next key the current one, and the current key an old one."""
        with contextlib.suppress(FileExistsError):  # an earlier run was killed between the two steps
            os.link(self._folder / self._name, self._folder / f"{self._name}.old.{now}")
        following.path.replace(self._folder / self._name)

    def retire(self, old: StoredKey) -> None:
        """Delete an old key for ever."""
        old.path.unlink(missing_ok=True)
