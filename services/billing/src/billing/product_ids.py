"""Ids of products. Those of content are UUIDs, which the catalog gives; all others are of a creator's own choice, and
never look like one: an import decides what a content's id will be, and nobody sells under it before."""

from __future__ import annotations

import uuid


def is_content_id(product_id: str) -> bool:
    """Whether only content may have this id: anything that can be read as a UUID."""
    try:
        uuid.UUID(product_id)
    except ValueError:
        return False
    return True
