"""External ids that stand in the files twice: the same row again is a duplicate, another row is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

from lyceum_cli.importing.columns import Kind
from lyceum_cli.importing.reading import Source
from lyceum_cli.importing.rows import BadRow, Item

DIGEST_BYTES: Final = 16


class Repeats:
    """The rows that were read, by external id; the first one stands."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._first: dict[tuple[Kind, str], tuple[bytes, int, int]] = {}

    def check(self, one: Item) -> None:
        """Raises `BadRow` for a row of other content than an earlier one of its external id."""
        found = digest(one)
        first, source, line = self._first.setdefault((one.kind, one.external_id), (found, one.source, one.line))
        if first != found:
            where = "" if source == one.source else f" of {self._sources[source].path.name}"
            raise BadRow("external_id", f"is that of line {line}{where}, which says something else")


def digest(one: Item) -> bytes:
    """What a row says, in a few bytes."""
    text = json.dumps([one.kind, one.content, one.body], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()
