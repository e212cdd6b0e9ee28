"""Inboxes on a real PostgreSQL, behind their policies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.events import billing
from eventfold.errors import InvalidInput, Unauthenticated
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications.bootstrap import DEFINITION
from servicekit.caller import Caller
from servicekit.testing import House, housed, refused
from servicekit.times import stamp

MEMBER, OTHER = Caller("m1", "consumer", "session"), Caller("m2", "consumer", "session")
AT = datetime(2026, 3, 1, tzinfo=UTC)
WAIT_S = 30.0


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with housed(DEFINITION, postgres_url, tmp_path, House) as one:
        yield one


async def granted(house: House, number: int, member_id: str = "m1") -> None:
    """A member was given access, an hour after the one before."""
    fact: billing.EntitlementGranted = {
        "entitlement_id": f"e{number}",
        "member_id": member_id,
        "product_id": f"p{number}",
        "source": "purchase",
        "order_id": f"o{number}",
        "granted_at": AT + timedelta(hours=number),
        "expires_at": None,
    }
    await house.told(billing.ENTITLEMENT_GRANTED, fact)


async def listed(house: House, caller: Caller = MEMBER, **asked: Any) -> pb.ListNotificationsResponse:
    answer: pb.ListNotificationsResponse = await house.call(pb.ListNotificationsRequest(**asked), caller)
    return answer


async def test_each_sees_their_own_newest_first_page_by_page(house: House) -> None:
    for number in range(5):
        await granted(house, number)
    await granted(house, 9, "m2")
    seen, token = [], ""
    for _ in range(3):
        page = await listed(house, page_size=2, page_token=token)
        seen += [one.product_id for one in page.notifications]
        token = page.next_page_token
    assert (seen, token) == (["p4", "p3", "p2", "p1", "p0"], "")
    assert [one.product_id for one in (await listed(house, OTHER)).notifications] == ["p9"]
    await refused(house.call(pb.ListNotificationsRequest()), Unauthenticated)


async def test_what_was_seen_is_read_and_what_comes_is_not(house: House) -> None:
    for number in range(3):
        await granted(house, number)
    assert (await listed(house)).unread_count == 3
    await house.call(pb.MarkNotificationsReadRequest(up_to=stamp(AT + timedelta(hours=1))), MEMBER)
    await house.settle()
    found = await listed(house)
    assert ([one.read for one in found.notifications], found.unread_count) == ([False, True, True], 1)
    earlier = await house.call(pb.MarkNotificationsReadRequest(up_to=stamp(AT)), MEMBER)
    assert not earlier.consistency_token


async def test_a_moment_is_needed_and_must_have_come(house: House) -> None:
    ahead = stamp(datetime.now(UTC) + timedelta(minutes=1))
    for request in (pb.MarkNotificationsReadRequest(), pb.MarkNotificationsReadRequest(up_to=ahead)):
        failure = await refused(house.call(request, MEMBER), InvalidInput)
        assert failure.field == "up_to"
    assert await house.rows("SELECT count(*) FROM events") == [(0,)]


async def following(stream: Any) -> pb.WatchNotificationsResponse:
    async with asyncio.timeout(WAIT_S):
        told: pb.WatchNotificationsResponse = await anext(stream)
        return told


async def test_a_stream_begins_after_what_is_named_and_goes_on_with_what_happens(house: House) -> None:
    for number in range(3):
        await granted(house, number)
    stream = await house.call(pb.WatchNotificationsRequest(after="access_granted.e0"), MEMBER)
    assert (await following(stream)).alive
    assert [(await following(stream)).notification.product_id for _ in range(2)] == ["p1", "p2"]
    await granted(house, 3)
    assert (await following(stream)).notification.product_id == "p3"
    await stream.aclose()


async def test_a_stream_without_a_beginning_tells_what_happens_from_now_on(house: House) -> None:
    await granted(house, 0)
    stream = await house.call(pb.WatchNotificationsRequest(), MEMBER)
    assert (await following(stream)).alive
    await granted(house, 9, "m2")
    await granted(house, 1)
    assert (await following(stream)).notification.product_id == "p1"
    await stream.aclose()
