"""What the filters note of a request, and how those that come after ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

OURS: Final = "lyceum"
"""Where our own filters note what a request means."""
TOKEN: Final = "envoy.filters.http.jwt_authn"  # noqa: S105 - where it is noted what a valid token says
ROLES: Final = "envoy.filters.http.rbac"
"""Where it is noted what came of the rules of roles."""


def matcher(by: str, path: Sequence[str], value: Mapping[str, object]) -> dict[str, object]:
    """Matches a request of which `by` noted this value there."""
    return {"filter": by, "path": [{"key": key} for key in path], "value": value}


def equal_to(text: str) -> dict[str, object]:
    """The value that is this text."""
    return {"string_match": {"exact": text}}
