"""What the rows said that were imported under each external id, beside the state file, in 32 bytes a row.

The community answers `duplicate` for an id that it has, whatever the row says; only what is written here tells whether
it says the same as before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lyceum_cli.errors import CannotWrite
from lyceum_cli.importing.repeats import DIGEST_BYTES, digest
from lyceum_cli.importing.rows import Item

VERSION: Final = 1
RECORD_BYTES: Final = 2 * DIGEST_BYTES
_DERIVED: Final = re.compile(r"[0-9a-f]{64}#[0-9]+")
"""External ids that follow from what the row says: it cannot say something else."""


class Known:
    """The rows of one data set in one community. Losing the file loses no row, only what earlier runs would tell."""

    def __init__(self, state: Path, gateway: str, dataset: str) -> None:
        """Reads what there is; a file of another community or form counts as none. Raises `CannotWrite`."""
        self._path = state.with_name(f"{state.name}.known")
        self._head = json.dumps({"version": VERSION, "gateway": gateway, "dataset": dataset}).encode() + b"\n"
        self._digests: dict[bytes, bytes] = {}
        try:
            self._load()
        except OSError as failure:
            raise CannotWrite(self._path, failure) from failure

    def differs(self, one: Item) -> bool:
        """Whether a row of this external id was imported that said something else."""
        found = self._digests.get(_key(one))
        return found is not None and not one.first_counts and found != digest(one)

    def add(self, items: Iterable[Item]) -> None:
        """Remember rows that the community has. Raises `CannotWrite`."""
        fresh = {_key(one): digest(one) for one in items if not _DERIVED.fullmatch(one.external_id)}
        fresh = {key: found for key, found in fresh.items() if self._digests.get(key) != found}
        self._digests.update(fresh)
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(key + found for key, found in fresh.items()))
        except OSError as failure:
            raise CannotWrite(self._path, failure) from failure

    def _load(self) -> None:
        """Later records replace earlier ones. A record that a kill has cut off is dropped: others come behind."""
        content = self._path.read_bytes() if self._path.exists() else b""
        if not content.startswith(self._head):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(self._head)
            return
        whole = len(content) - (len(content) - len(self._head)) % RECORD_BYTES
        for at in range(len(self._head), whole, RECORD_BYTES):
            self._digests[content[at : at + DIGEST_BYTES]] = content[at + DIGEST_BYTES : at + RECORD_BYTES]
        if whole < len(content):
            self._path.write_bytes(content[:whole])


def _key(one: Item) -> bytes:
    return hashlib.blake2b(f"{one.kind}:{one.external_id}".encode(), digest_size=DIGEST_BYTES).digest()
