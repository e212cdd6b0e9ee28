"""The slice of content."""

from __future__ import annotations

from typing import Final

from catalog.access.queries import Grants, Members
from catalog.content.application import Publishing
from catalog.content.bylines import Bylines
from catalog.content.domain import EVENTS
from catalog.content.projections import GROUPS
from catalog.content.publication import to_public
from catalog.content.queries import Feed
from catalog.content.rpc import POLICIES, ContentRpcs
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> ContentRpcs:
    """What the slice serves."""
    publishing = Publishing(wiring.store, wiring.pool, wiring.subject_keys)
    bylines = Bylines(wiring.queries, wiring.subject_keys)
    grant, known = Grants(wiring.queries).of, Members(wiring.queries).known
    return ContentRpcs(publishing, Feed(wiring.queries), bylines, grant, known)


CONTENT: Final = Slice(
    events=EVENTS,
    to_public=to_public,
    groups=GROUPS,
    policies=POLICIES,
    rpcs=rpcs,
)
