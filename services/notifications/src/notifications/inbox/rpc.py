"""Inboxes over gRPC: each member their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from eventfold import Ask, EventStore, Item
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications.inbox.domain import INBOX, MarkRead
from notifications.inbox.projections import INBOX_FOLD, NotificationRow
from notifications.inbox.queries import Inboxes
from notifications.inbox.shaping import notification_message
from notifications.inbox.watching import Watching
from servicekit import validate
from servicekit.call import current_call
from servicekit.paging import PageStart, page, parse_page_token
from servicekit.policy import Policies, Policy

POLICIES: Final[Policies] = {
    "ListNotifications": Policy("query", reads=(INBOX_FOLD.name,)),
    "MarkNotificationsRead": Policy("command", idempotent=True),
    "WatchNotifications": Policy("query"),
}


class InboxRpcs:
    """List, mark as read, watch."""

    def __init__(self, store: EventStore, inboxes: Inboxes, watching: Watching) -> None:
        self._store = store
        self._inboxes = inboxes
        self._watching = watching

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: Any
    ) -> pb.ListNotificationsResponse:
        """The caller's."""
        member_id = current_call().require_caller().member_id
        limit = validate.page_size(request.page_size)
        rows = await self._inboxes.page(member_id, parse_page_token(request.page_token), limit + 1)
        unread, read_until = await self._inboxes.read_state(member_id)
        shown, following = page(rows, limit, _place, lambda row: notification_message(row, read_until))
        return pb.ListNotificationsResponse(notifications=shown, unread_count=unread, next_page_token=following)

    async def MarkNotificationsRead(
        self, request: pb.MarkNotificationsReadRequest, context: Any
    ) -> pb.MarkNotificationsReadResponse:
        """The caller's, up to a moment that has come."""
        call = current_call()
        until = validate.past_time(request.up_to, "up_to", call.now)
        ask = Ask(INBOX, call.require_caller().member_id, MarkRead(until))
        handled = await self._store.handle(
            Item((ask,)), call.context(), idempotency=call.idempotency(request), answer=lambda _: {}
        )
        return pb.MarkNotificationsReadResponse(consistency_token=await call.recorded(handled.position))

    async def WatchNotifications(
        self, request: pb.WatchNotificationsRequest, context: Any
    ) -> AsyncGenerator[pb.WatchNotificationsResponse, None]:
        """The caller's, from what `after` names on."""
        member_id = current_call().require_caller().member_id
        newest = (await self._inboxes.newest([member_id])).get(member_id, ())
        return self._told(member_id, _known(newest, validate.asked_id(request.after, "after")))

    async def _told(self, member_id: str, known: set[str]) -> AsyncGenerator[pb.WatchNotificationsResponse, None]:
        yield _beat()
        async for row in self._watching.news(member_id, known):
            yield pb.WatchNotificationsResponse(notification=notification_message(row)) if row else _beat()


def _beat() -> pb.WatchNotificationsResponse:
    return pb.WatchNotificationsResponse(alive=True)


def _known(newest: tuple[NotificationRow, ...], after: str) -> set[str]:
    """What a watcher has who has all up to `after`; who names nothing, or what is no more among the newest, has them
    all, or none of them."""
    ids = [row.notification_id for row in newest]
    if not after:
        return set(ids)
    return set(ids[ids.index(after) :]) if after in ids else set()


def _place(row: NotificationRow) -> PageStart:
    return PageStart(row.occurred_at, row.notification_id)
