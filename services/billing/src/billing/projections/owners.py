"""Who published which content: only that creator may sell it."""

from __future__ import annotations

from typing import NamedTuple

from contracts.events.catalog import CONTENT_PUBLISHED
from eventfold import ReadTable, projection, puts


class OwnerRow(NamedTuple):
    """The creator of a content, who earns from it."""

    content_id: str
    creator_id: str


OWNERS = ReadTable("content_owner", OwnerRow)


CONTENT_OWNERS = projection("content_owners", puts(OWNERS, CONTENT_PUBLISHED), partition_local=True)
