"""The slice of inboxes."""

from __future__ import annotations

from typing import Final

from notifications.inbox.domain import EVENTS
from notifications.inbox.projections import GROUPS
from notifications.inbox.publication import to_public
from notifications.inbox.queries import Inboxes
from notifications.inbox.rpc import POLICIES, InboxRpcs
from notifications.inbox.watching import Watching
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> InboxRpcs:
    """What the slice serves."""
    inboxes = Inboxes(wiring.queries)
    watching = Watching(inboxes.newest)
    wiring.closing.add("watching", watching.aclose)
    return InboxRpcs(wiring.store, inboxes, watching)


INBOX_SLICE: Final = Slice(events=EVENTS, to_public=to_public, groups=GROUPS, policies=POLICIES, rpcs=rpcs)
