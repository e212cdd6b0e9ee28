"""From private events of inboxes to public ones."""

from __future__ import annotations

from contracts.events import notifications as public
from eventfold import PublicEvent, Recorded
from notifications.inbox.domain import InboxRead


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event of this slice."""
    match recorded.event:
        case InboxRead(until=until, previous=previous):
            return public.INBOX_READ(
                {"member_id": recorded.partition_key, "read_up_to_at": until, "previous_read_up_to_at": previous}
            )
        case _:
            return None
