"""What is told once however often it is read, who no longer leads, what is swept, and who is forgotten."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from webhook_house import ADMIN, CREATOR, HOUR, OTHER, Receiver, WebhookHouse, receiving

from eventfold import Context
from eventfold.errors import KeyDestroyed, LeaseLost, NotFound
from eventfold.publish import lease as leases
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications.delivery.sending import LEASE
from notifications.delivery.sweeping import Sweeper
from notifications.delivery.watching import oldest
from notifications.forgetting import forget
from servicekit.testing import refused


async def count(hooks: WebhookHouse, table: str) -> int:
    """How many rows a table has."""
    found: int = (await hooks.rows(f"SELECT count(*) FROM {table}"))[0][0]  # noqa: S608 - a name of the test's own
    return found


async def test_what_is_read_again_from_the_beginning_is_told_once(hooks: WebhookHouse, receiver: Receiver) -> None:
    await hooks.registered(receiver.url)
    ids = [await hooks.placed("o1"), await hooks.paid("o1")]
    await hooks.send()
    await hooks.rows("DELETE FROM telling RETURNING 1")
    await hooks.rows("UPDATE happened SET changed_in = pg_current_xact_id() RETURNING 1")
    await hooks.send()
    assert receiver.ids == ids


async def test_what_a_rebuild_brings_back_after_a_week_is_told_to_nobody(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    await hooks.registered(receiver.url)
    await hooks.placed("o1")
    hooks.clock.now += timedelta(days=7)
    await hooks.send()
    assert not receiver.got


async def test_what_is_folded_late_is_told_all_the_same(hooks: WebhookHouse, receiver: Receiver) -> None:
    """Of another emitter, or a parked record that is redriven: its number is lower than others that were told."""
    await hooks.registered(receiver.url, "order.placed", "content.published")
    hooks.told_of = 50
    await hooks.placed("o1")
    await hooks.send()
    hooks.told_of = 10
    late = await hooks.published("t1")
    assert (await oldest(hooks.pool)).untold is not None
    await hooks.send()
    assert late in receiver.ids and len(receiver.got) == 2
    assert await oldest(hooks.pool) == ({}, None)


async def test_who_is_no_longer_an_admin_is_told_of_nothing_more(hooks: WebhookHouse, receiver: Receiver) -> None:
    await hooks.joined("a1", "admin")
    await hooks.registered(receiver.url, "order.placed", caller=ADMIN, scope="all")
    told = await hooks.placed("o1")
    await hooks.send()
    await hooks.demoted("a1", "creator", "admin")
    await hooks.placed("o2")
    await hooks.send()
    assert receiver.ids == [told]


async def test_who_lost_the_lease_takes_nothing(hooks: WebhookHouse, receiver: Receiver) -> None:
    await hooks.registered(receiver.url)
    await hooks.placed("o1")
    async with await hooks.wiring.connect() as conn:
        lease = await leases.acquire(conn, LEASE, "stopped")
        assert lease is not None
        await leases.depose(conn, LEASE)
        with pytest.raises(LeaseLost):
            await hooks.sender().look(conn, lease)
    assert await count(hooks, "delivery") == 0 and not receiver.got
    await hooks.send()
    assert len(receiver.got) == 1


async def test_a_failure_that_a_zombie_reports_late_changes_nothing(hooks: WebhookHouse, receiver: Receiver) -> None:
    await hooks.registered(receiver.url)
    event_id = await hooks.placed("o1")
    held = asyncio.Event()

    async def failing_late() -> web.Response:
        await held.wait()
        return web.Response(status=500)

    receiver.answer = lambda got: failing_late() if got == 1 else web.Response()
    zombie = hooks.sender()
    async with await hooks.wiring.connect() as conn:
        lease = await leases.acquire(conn, LEASE, "zombie")
        assert lease is not None
        await zombie.look(conn, lease)
        await receiver.has(1)
        await leases.release(conn, lease)
    hooks.clock.now += timedelta(seconds=30)
    await hooks.send()
    held.set()
    await zombie.settled()
    assert await hooks.states() == {event_id: "delivered"} and receiver.ids == [event_id, event_id]


async def test_a_killed_process_loses_nothing_and_repeats_at_most_what_was_under_way(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    await hooks.registered(receiver.url)
    ids = [await hooks.placed(f"o{number}") for number in range(12)]
    held = asyncio.Event()

    async def holding() -> web.Response:
        await held.wait()
        return web.Response()

    receiver.answer = lambda _: holding()
    first = await started(hooks)
    await receiver.has(4)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    under_way = list(receiver.ids)
    held.set()
    receiver.answer = lambda _: web.Response()
    await hooks.rows("UPDATE delivery SET due_at = now() WHERE taken IS NOT NULL RETURNING 1")
    await hooks.rows("UPDATE sending SET next_due_at = now() RETURNING 1")
    second = await started(hooks)
    await receiver.has(len(ids) + len(under_way))
    for _ in range(100):
        if set((await hooks.states()).values()) == {"delivered"}:
            break
        await asyncio.sleep(0.1)
    second.terminate()
    assert await second.wait() == 0
    assert sorted(receiver.ids) == sorted([*ids, *under_way]) and len(under_way) == 4
    assert set((await hooks.states()).values()) == {"delivered"}


async def started(hooks: WebhookHouse, *arguments: str) -> asyncio.subprocess.Process:
    """`python -m notifications send`, or another command, over the house's database."""
    settings = hooks.wiring.settings
    told = {
        "LYCEUM_PROFILE": "local",
        "WEBHOOKS_ALLOW_LOCAL": "true",
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP": "unused:1",
        "KEY_DIR": str(settings.key_dir),
    }
    command = (sys.executable, "-m", "notifications", *(arguments or ("send",)))
    return await asyncio.create_subprocess_exec(*command, env={**os.environ, **told})


async def test_an_endpoint_whose_row_another_holds_for_long_keeps_no_other_waiting(
    hooks: WebhookHouse, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.delivery.noting.NOTE_TRIES", 2)
    row_is_held = asyncio.Event()

    async def once_it_is_held() -> web.Response:
        await row_is_held.wait()
        return web.Response()

    receiver.answer = lambda _: once_it_is_held()
    held = await hooks.registered(receiver.url)
    async with receiving() as others:
        await hooks.registered(others.url)
        first = await hooks.placed("o1")
        own = hooks.sender()
        async with await hooks.wiring.connect() as conn, await hooks.wiring.connect() as holding:
            lease = await leases.acquire(conn, LEASE, "test")
            assert lease is not None
            await own.look(conn, lease)
            async with holding.transaction():
                await holding.execute("SELECT 1 FROM sending WHERE endpoint_id = %s FOR UPDATE", [held.endpoint_id])
                row_is_held.set()
                await own.settled()
            await leases.release(conn, lease)
        assert others.ids == [first] and {one.state for one in await hooks.listed(held.endpoint_id)} == {"due"}
        hooks.clock.now += timedelta(seconds=30)
        await hooks.send(own)
        await own.stop()
        assert {one.state for one in await hooks.listed(held.endpoint_id)} == {"delivered"}
        assert others.ids == [first] and receiver.ids[-1] == first


async def test_old_deliveries_go_with_their_attempts_and_open_ones_stay(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    await hooks.registered(receiver.url)
    await hooks.placed("o1")
    await hooks.send()
    receiver.answer = lambda _: web.Response(status=500)
    still = await hooks.placed("o2")
    await hooks.send()
    sweeper = Sweeper(hooks.pool, hooks.store, hooks.clock)
    await sweeper.sweep()
    assert (await count(hooks, "delivery"), await count(hooks, "attempt")) == (2, 2)
    hooks.clock.now += timedelta(days=30, seconds=1)
    assert not await sweeper.sweep()
    assert await hooks.states() == {still: "due"} and await count(hooks, "attempt") == 1


async def test_secrets_that_sign_no_longer_and_rows_of_removed_endpoints_go(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    made, kept = await hooks.registered(receiver.url), await hooks.registered(receiver.url)
    await hooks.placed("o1")
    await hooks.send()
    await hooks.call(pb.RotateSecretRequest(endpoint_id=kept.endpoint_id), CREATOR)
    await hooks.call(pb.RemoveEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    await hooks.settle()
    sweeper = Sweeper(hooks.pool, hooks.store, hooks.clock)
    await sweeper.sweep()
    assert (await count(hooks, "delivery"), await count(hooks, "sending")) == (1, 1)
    assert await count(hooks, "endpoint_secret") == 2, "younger than a day"
    hooks.clock.now += timedelta(hours=25)
    await hooks.rows("UPDATE endpoint_secret SET created_at = created_at - interval '2 days' RETURNING 1")
    await sweeper.sweep()
    assert await count(hooks, "endpoint_secret") == 1, "the newest of the one that is left"


async def test_a_forgotten_member_has_no_endpoints_secrets_and_deliveries_left(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    made = await hooks.registered(receiver.url)
    async with receiving() as others:
        theirs = await hooks.registered(others.url, caller=OTHER)
        await hooks.placed("o1"), await hooks.placed("o2", "c2")
        await hooks.send()
        await hooks.paid("o5")
        assert await hooks.rows("SELECT DISTINCT member_id FROM notification WHERE member_id = 'c1'") == [("c1",)]
        context = Context(hooks.clock.now, "operator", "c")
        assert await forget(hooks.wiring, "c1", context) == 1
        await forget(hooks.wiring, "c1", context)
        await refused(hooks.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), CREATOR), NotFound)
        for table in ("endpoint_secret", "delivery", "attempt", "sending"):
            assert await hooks.rows(f"SELECT DISTINCT endpoint_id FROM {table}") == [(theirs.endpoint_id,)]  # noqa: S608
        assert not await hooks.rows("SELECT 1 FROM notification WHERE member_id = 'c1'")
        async with hooks.pool.connection() as conn:
            with pytest.raises(KeyDestroyed):
                await hooks.wiring.subject_keys.get(conn, ["c1"])
        await hooks.settle()
        await hooks.placed("o3"), await hooks.placed("o4", "c2")
        await hooks.send()
        assert len(receiver.got) == 1 and len(others.got) == 2


async def test_an_operator_forgets_a_member_by_a_command(hooks: WebhookHouse, receiver: Receiver) -> None:
    made = await hooks.registered(receiver.url)
    ran = await started(hooks, "forget-member", "c1")
    assert await ran.wait() == 0
    await refused(hooks.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), CREATOR), NotFound)
    assert await count(hooks, "endpoint_secret") == 0


async def test_everything_that_failed_since_a_time_is_sent_again_in_bounded_steps(
    hooks: WebhookHouse, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.delivery.asking.AGAIN_AT_ONCE", 3)
    made = await hooks.registered(receiver.url)
    receiver.answer = lambda _: web.Response(status=500)
    before = await hooks.placed("before")
    hooks.clock.now += HOUR
    since, ids = hooks.clock.now, [await hooks.placed(f"o{number}") for number in range(5)]
    await hooks.send_until(hooks.clock.now + timedelta(days=2))
    assert set((await hooks.states()).values()) == {"failed"}
    hooks.now = hooks.clock.now
    receiver.got.clear()
    receiver.answer = lambda _: web.Response()
    request = pb.RedeliverRequest(endpoint_id=made.endpoint_id)
    request.failed_since.FromDatetime(since)
    answers = [await hooks.call(request, CREATOR) for _ in range(3)]
    assert [(one.redelivered, one.more) for one in answers] == [(3, True), (2, False), (0, False)]
    await hooks.send()
    assert sorted(receiver.ids) == sorted(ids) and (await hooks.states())[before] == "failed"


@pytest.mark.parametrize(
    "request_", [pb.RedeliverRequest(), pb.RedeliverRequest(delivery_id="nothing"), pb.TestEndpointRequest()]
)
async def test_others_can_neither_send_again_nor_test(hooks: WebhookHouse, receiver: Receiver, request_: Any) -> None:
    made = await hooks.registered(receiver.url)
    request_.endpoint_id = made.endpoint_id
    await refused(hooks.call(request_, OTHER), NotFound)


async def test_deliveries_are_listed_in_pages_newest_first_and_by_state(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    made = await hooks.registered(receiver.url)
    for number in range(5):
        await hooks.placed(f"o{number}")
        hooks.clock.now += HOUR
        await hooks.send()
    request, seen = pb.ListDeliveriesRequest(endpoint_id=made.endpoint_id, page_size=2), []
    while True:
        answer = await hooks.call(request, CREATOR)
        seen += [one.aggregate for one in answer.deliveries]
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert seen == [f"order-o{number}" for number in (4, 3, 2, 1, 0)]
    failed = pb.ListDeliveriesRequest(endpoint_id=made.endpoint_id, state="failed")
    assert not (await hooks.call(failed, CREATOR)).deliveries
    types = (await hooks.call(pb.ListEventTypesRequest(), CREATOR)).types
    assert [*types[0].scopes] == ["own", "all"] and '"order_id"' in types[0].data_schema_json
