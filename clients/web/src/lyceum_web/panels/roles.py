"""Roles, as access tokens name them."""

from __future__ import annotations

from typing import Final

OPERATORS: Final = frozenset({"importer", "auditor", "admin"})
MEMBERS: Final = frozenset({"consumer", "creator"})
AUTHORS: Final = OPERATORS | {"creator"}
"""Who sees figures of content: operators of all, creators of their own."""
