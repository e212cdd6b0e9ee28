"""Deliveries to a real receiver on this machine, under a clock that is passed in."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError
from webhook_house import ADMIN, CREATOR, HOUR, OTHER, Receiver, WebhookHouse, receiving

from eventfold.publish import lease as leases
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications.delivery.sending import LEASE
from notifications.delivery.taking import TAKEN_AGAIN_AFTER


def refusing(status: int, **headers: str) -> Any:
    """Answers everything so."""
    return lambda _: web.Response(status=status, headers=headers, text=f"no {status}")


async def test_a_paid_order_is_told_once_with_a_signature_that_the_library_verifies(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    made = await hooks.registered(receiver.url)
    event_id = await hooks.paid("o1")
    await hooks.send()
    await hooks.send()
    [(headers, body)] = receiver.got
    told = Webhook(made.secret).verify(body, dict(headers))
    assert (told["id"], told["type"], told["data"]["order_id"]) == (event_id, "order.paid", "o1")
    assert headers["webhook-id"] == event_id and headers["content-type"] == "application/json"
    [delivery] = await hooks.listed(made.endpoint_id)
    assert (delivery.state, delivery.attempts[0].status) == ("delivered", 204)


async def test_each_is_told_of_what_concerns_them_from_their_registration_on(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    await hooks.placed("before")
    hooks.clock.now += HOUR
    await hooks.registered(receiver.url)
    async with receiving() as others, receiving() as admins:
        await hooks.registered(others.url, "content.published", caller=OTHER)
        await hooks.joined("a1", "admin")
        await hooks.registered(admins.url, "order.placed", "content.published", caller=ADMIN, scope="all")
        mine, imported = await hooks.placed("o1"), await hooks.placed("old", backfill=True)
        theirs, untold = await hooks.published("t1", "c2"), await hooks.published("t2", "c1")
        await hooks.send()
        assert receiver.ids == [mine] and others.ids == [theirs]
        assert sorted(admins.ids) == sorted([mine, theirs, untold]) and imported not in admins.ids


async def test_what_is_down_for_23_hours_gets_everything_in_the_order_of_each_aggregate(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    await hooks.registered(receiver.url)
    receiver.answer, began, sent = refusing(503), hooks.clock.now, defaultdict[str, list[str]](list)
    for hour in range(23):
        for order in ("o1", "o2", f"o{hour + 3}"):
            sent[order].append(await hooks.placed(order))
            sent[order].append(await hooks.paid(order))
        await hooks.send_until(began + timedelta(hours=hour + 1))
    tried = len(receiver.got)
    receiver.got.clear()
    receiver.answer = lambda _: web.Response()
    await hooks.send_until(began + timedelta(hours=24))
    arrived = defaultdict[str, list[str]](list)
    for body in receiver.bodies:
        arrived[body["data"]["order_id"]].append(body["id"])
    assert arrived == sent and set((await hooks.states()).values()) == {"delivered"}
    assert tried < 25 * 25, "one probe at a time while it fails"


async def test_after_24_hours_it_is_given_up_and_the_next_of_its_aggregate_goes_on(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    made = await hooks.registered(receiver.url)
    first, second = await hooks.placed("o1"), await hooks.paid("o1")
    receiver.answer = lambda _: web.Response(status=500 if receiver.ids[-1] == first else 200, text="not\x00 yet")
    began = hooks.clock.now
    await hooks.send_until(began + 24 * HOUR - timedelta(seconds=1))
    assert await hooks.states() == {first: "due", second: "waiting"} and set(receiver.ids) == {first}
    await hooks.send_until(began + 24 * HOUR)
    assert await hooks.states() == {first: "failed", second: "delivered"}
    assert 12 <= receiver.ids.count(first) <= 16
    shown = {one.delivery_id: one for one in await hooks.listed(made.endpoint_id)}
    assert shown[first].state == "failed" and shown[first].attempts[0].said == "not  yet"


async def test_what_a_receiver_refuses_does_not_hold_up_other_aggregates(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    await hooks.registered(receiver.url)
    refused, behind, other = await hooks.placed("o1"), await hooks.paid("o1"), await hooks.placed("o2")
    receiver.answer = lambda _: web.Response(status=500 if receiver.ids[-1] == refused else 200)
    await hooks.send()
    for number in range(10):
        await hooks.placed(f"more{number}")
        await hooks.send()
    assert receiver.ids.count(refused) == receiver.ids.count(other) == 1 and behind not in receiver.ids
    states = await hooks.states()
    assert (states.pop(refused), states.pop(behind), set(states.values())) == ("due", "waiting", {"delivered"})


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_receivers_answer_each_aggregate_arrives_in_order_and_once(
    hooks: WebhookHouse, receiver: Receiver, seed: int
) -> None:
    chance, accepted = random.Random(seed), list[str]()
    made = await hooks.registered(receiver.url)
    sent: list[tuple[str, str]] = []

    def answer(_: int) -> web.Response:
        status = chance.choice([200, 200, 204, 302, 429, 500])
        if status < 300:
            accepted.append(receiver.ids[-1])
        return web.Response(status=status, headers={"Retry-After": str(chance.randint(0, 30))})

    receiver.answer = answer
    for number in range(30):
        order = f"o{chance.randint(1, 5)}"
        sent.append((order, await (hooks.placed if number % 2 else hooks.paid)(order)))
        await hooks.send_until(hooks.clock.now + timedelta(seconds=chance.randint(0, 900)))
        if chance.random() < 0.1:
            await hooks.rows("DELETE FROM telling RETURNING 1")
    await hooks.send_until(hooks.clock.now + 30 * HOUR)
    order_of = {event_id: order for order, event_id in sent}
    assert set((await hooks.states()).values()) == {"delivered"} and sorted(accepted) == sorted(order_of)
    for order in set(order_of.values()):
        expected = [event_id for of, event_id in sent if of == order]
        assert [one for one in accepted if order_of[one] == order] == expected
    assert all(one.state == "delivered" for one in await hooks.listed(made.endpoint_id))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_is_delivered(hooks: WebhookHouse, receiver: Receiver, status: int) -> None:
    await hooks.registered(receiver.url)
    event_id = await hooks.placed("o1")
    receiver.answer = refusing(status)
    await hooks.send()
    assert await hooks.states() == {event_id: "delivered"}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(
    hooks: WebhookHouse, receiver: Receiver, status: int
) -> None:
    async with receiving() as inside:
        made = await hooks.registered(receiver.url)
        await hooks.placed("o1")
        receiver.answer = refusing(status, Location=inside.url)
        await hooks.send()
        [delivery] = await hooks.listed(made.endpoint_id)
        assert not inside.got and (delivery.state, delivery.attempts[0].status) == ("due", status)


async def test_410_disables_the_endpoint_at_once_and_what_failed_is_sent_when_it_is_asked_for(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    made = await hooks.registered(receiver.url)
    ids = [await hooks.placed("o1"), await hooks.paid("o1"), await hooks.placed("o2")]
    receiver.answer = refusing(410)
    await hooks.send()
    assert set((await hooks.states()).values()) == {"failed"} and len(receiver.got) <= 2
    found = await hooks.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    assert (found.endpoint.state, found.endpoint.disabled_reason) == ("disabled", "gone")
    receiver.got.clear()
    receiver.answer = lambda _: web.Response()
    await hooks.call(pb.EnableEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    again = pb.RedeliverRequest(endpoint_id=made.endpoint_id)
    again.failed_since.FromDatetime(hooks.clock.now - HOUR)
    answer = await hooks.call(again, CREATOR)
    assert (answer.redelivered, answer.more) == (3, False)
    await hooks.send()
    assert sorted(receiver.ids) == sorted(ids) and receiver.ids.index(ids[0]) < receiver.ids.index(ids[1])


async def test_a_receiver_that_asks_to_be_left_alone_is(hooks: WebhookHouse, receiver: Receiver) -> None:
    await hooks.registered(receiver.url)
    await hooks.placed("o1")
    await hooks.placed("o2")
    receiver.answer = refusing(429, **{"Retry-After": "7200"})
    await hooks.send()
    asked, began = len(receiver.got), hooks.clock.now
    await hooks.send_until(began + 2 * HOUR - timedelta(seconds=1))
    assert len(receiver.got) == asked
    receiver.answer = lambda _: web.Response()
    await hooks.send_until(began + 2 * HOUR)
    assert set((await hooks.states()).values()) == {"delivered"}


async def test_nobody_is_left_alone_for_more_than_four_hours(hooks: WebhookHouse, receiver: Receiver) -> None:
    await hooks.registered(receiver.url)
    await hooks.placed("o1")
    receiver.answer = refusing(503, **{"Retry-After": "Fri, 31 Dec 2049 23:59:59 GMT"})
    await hooks.send()
    assert await hooks.rows("SELECT min(next_due_at) FROM sending") == [(hooks.clock.now + 4 * HOUR,)]


async def test_an_endpoint_where_nothing_arrived_for_five_days_is_disabled(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    made = await hooks.registered(receiver.url)
    receiver.answer, began = refusing(500), hooks.clock.now
    for day in range(6):
        await hooks.placed(f"o{day}")
        await hooks.send_until(began + timedelta(days=day + 1))
        found = await hooks.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
        assert found.endpoint.state == ("enabled" if day < 4 else "disabled"), day
    assert found.endpoint.disabled_reason == "silent"


async def test_both_secrets_verify_during_the_overlap_and_the_old_one_not_after(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    real = hooks.clock.now
    hooks.clock.now = real - timedelta(hours=23)
    made = await hooks.registered(receiver.url)
    rotated = await hooks.call(pb.RotateSecretRequest(endpoint_id=made.endpoint_id), CREATOR)
    hooks.clock.now = real
    await hooks.placed("during")
    await hooks.send()
    headers, body = receiver.got[-1]
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (made.secret, rotated.secret):
        assert Webhook(secret).verify(body, dict(headers))["data"]["order_id"] == "during"
    hooks.now = real
    await hooks.call(pb.EndSecretRequest(endpoint_id=made.endpoint_id), CREATOR)
    await hooks.placed("after")
    await hooks.send()
    headers, body = receiver.got[-1]
    assert Webhook(rotated.secret).verify(body, dict(headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(body, dict(headers))


async def test_the_overlap_ends_by_itself_after_a_day(hooks: WebhookHouse, receiver: Receiver) -> None:
    real = hooks.clock.now
    hooks.clock.now = real - timedelta(hours=24)
    made = await hooks.registered(receiver.url)
    rotated = await hooks.call(pb.RotateSecretRequest(endpoint_id=made.endpoint_id), CREATOR)
    hooks.clock.now = real
    await hooks.placed("o1")
    await hooks.send()
    [(headers, body)] = receiver.got
    assert Webhook(rotated.secret).verify(body, dict(headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(body, dict(headers))


async def test_what_was_altered_or_is_old_is_not_verified(hooks: WebhookHouse, receiver: Receiver) -> None:
    made = await hooks.registered(receiver.url)
    await hooks.placed("o1")
    await hooks.send()
    [(headers, body)] = receiver.got
    for altered, with_headers in (
        (body.replace("900", "901"), headers),
        (body, {**headers, "webhook-id": "another"}),
        (body, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}),
        (orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode(), headers),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(made.secret).verify(altered, dict(with_headers))


async def test_a_sender_that_dies_leaves_what_was_under_way_and_loses_nothing(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    await hooks.registered(receiver.url)
    ids = [await hooks.placed(f"o{number}") for number in range(20)]
    held = asyncio.Event()

    async def holding() -> web.Response:
        await held.wait()
        return web.Response()

    receiver.answer = lambda _: holding()
    dying = hooks.sender()
    async with await hooks.wiring.connect() as conn:
        lease = await leases.acquire(conn, LEASE, "dying")
        assert lease is not None
        await dying.look(conn, lease)
        await receiver.has(4)
        await dying.stop()
        await leases.release(conn, lease)
    under_way = list(receiver.ids)
    held.set()
    receiver.answer = lambda _: web.Response()
    await hooks.send()
    assert sorted(receiver.ids) == sorted(ids), "what was under way is not taken again at once"
    hooks.clock.now += TAKEN_AGAIN_AFTER
    await hooks.send()
    assert sorted(receiver.ids) == sorted([*ids, *under_way]) and len(under_way) == 4
    assert set((await hooks.states()).values()) == {"delivered"}


async def test_a_slow_endpoint_uses_its_own_places(hooks: WebhookHouse, receiver: Receiver) -> None:
    held = asyncio.Event()

    async def holding() -> web.Response:
        await held.wait()
        return web.Response()

    async with receiving() as slow:
        slow.answer = lambda _: holding()
        await hooks.registered(slow.url)
        await hooks.registered(receiver.url)
        ids = [await hooks.placed(f"o{number}") for number in range(50)]
        own = hooks.sender()
        async with await hooks.wiring.connect() as conn:
            lease = await leases.acquire(conn, LEASE, "test")
            assert lease is not None
            for _ in range(200):
                await own.look(conn, lease)
                if len(receiver.got) == 50:
                    break
            assert sorted(receiver.ids) == sorted(ids) and len(slow.got) == 4
            held.set()
            await own.settled()
            await leases.release(conn, lease)


async def test_a_test_is_sent_once_and_signed(hooks: WebhookHouse, receiver: Receiver) -> None:
    made = await hooks.registered(receiver.url)
    receiver.answer = refusing(500)
    asked = [
        await hooks.call(pb.TestEndpointRequest(endpoint_id=made.endpoint_id), CREATOR, idempotency_key="k")
        for _ in range(2)
    ]
    assert asked[0] == asked[1]
    await hooks.send_until(hooks.clock.now + 24 * HOUR)
    [(headers, body)] = receiver.got
    assert headers["webhook-id"] == asked[0].delivery_id and orjson.loads(body)["type"] == "webhook.test"
    assert await hooks.states() == {asked[0].delivery_id: "failed"}


async def test_one_delivery_is_sent_again_under_its_id(hooks: WebhookHouse, receiver: Receiver) -> None:
    made = await hooks.registered(receiver.url)
    event_id = await hooks.placed("o1")
    await hooks.send()
    again = pb.RedeliverRequest(endpoint_id=made.endpoint_id, delivery_id=event_id)
    assert [(await hooks.call(again, CREATOR)).redelivered for _ in range(2)] == [1, 0]
    await hooks.send()
    assert receiver.ids == [event_id, event_id]
    [delivery] = await hooks.listed(made.endpoint_id)
    assert len(delivery.attempts) == 2


async def test_nothing_is_sent_to_what_was_disabled_or_removed_a_moment_ago(
    hooks: WebhookHouse, receiver: Receiver
) -> None:
    made = await hooks.registered(receiver.url)
    await hooks.placed("o1")
    await hooks.call(pb.DisableEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    await hooks.send()
    assert not receiver.got and set((await hooks.states()).values()) == {"failed"}
    await hooks.call(pb.EnableEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    await hooks.placed("o2")
    await hooks.call(pb.RemoveEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    await hooks.send()
    assert not receiver.got
