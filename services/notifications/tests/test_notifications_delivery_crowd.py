"""Many dead endpoints beside a live one. WEBHOOKS_DEAD=10000 measures as many; by default there are a few hundred."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from webhook_house import Receiver, WebhookHouse

from eventfold import Ask, Context, Item
from notifications.endpoint.domain import ENDPOINT, RegisterEndpoint
from notifications.secrets import made

DEAD = int(os.environ.get("WEBHOOKS_DEAD", "300"))
DELIVERIES_OF_EACH = 3
BATCH = 500
LATE_S = 1.0
ORDERS = 20


@contextlib.asynccontextmanager
async def black_hole() -> AsyncIterator[str]:
    """An address that takes connections and never answers."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0, backlog=1_024)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def many_dead(hooks: WebhookHouse, url: str) -> None:
    """Endpoints of another member that have failed before, each with deliveries of several aggregates that are due."""
    member, secret = "dead", made("s")
    async with hooks.pool.connection() as conn:
        key = (await hooks.wiring.subject_keys.ensure(conn, [member]))[member]
    ids = [str(uuid.uuid4()) for _ in range(DEAD)]
    command = RegisterEndpoint(
        member, "own", key.seal("url", url), key.seal("description", ""), ("order.paid",), "s", hooks.clock.now
    )
    context = Context(hooks.clock.now, member, "c")
    for start in range(0, DEAD, BATCH):
        items = [Item((Ask(ENDPOINT, one, command, new=True),)) for one in ids[start : start + BATCH]]
        await hooks.store.handle_batch(items, context)
    box = key.seal("webhook_secret/s", secret.shown).box
    async with hooks.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO endpoint SELECT unnest(%s::text[]), 'dead', 'own', '[\"order.paid\"]', 'enabled', '', now()",
            [ids],
        )
        await conn.execute("INSERT INTO endpoint_secret SELECT unnest(%s::text[]), 's', 'dead', %s, now()", [ids, box])
        await conn.execute(
            """INSERT INTO sending (endpoint_id, next_number, next_due_at, failing_since, lane)
               SELECT unnest(%s::text[]), 100, now() - interval '1 hour', now() - interval '1 hour', 'slow'""",
            [ids],
        )
        await conn.execute(
            """INSERT INTO delivery
               (endpoint_id, number, event_id, type, aggregate, occurred_at, body, created_at, state, due_at)
               SELECT e, n, 'old-' || n, 'order.paid', 'order-' || n, now(), '{}', now(), 'due',
                      now() - interval '1 hour'
               FROM unnest(%s::text[]) e, generate_series(1, %s) n""",
            [ids, DELIVERIES_OF_EACH],
        )


async def test_dead_endpoints_do_not_delay_a_live_one(hooks: WebhookHouse, receiver: Receiver) -> None:
    await hooks.registered(receiver.url)
    await hooks.placed("first")
    await hooks.send()
    hooks.position = 10**9  # the events of the dead are not folded one by one
    async with black_hole() as url:
        await many_dead(hooks, url)
        own = hooks.sender()
        own.clock = lambda: datetime.now(UTC)
        running, late_s = asyncio.create_task(own.run()), []
        await asyncio.sleep(2)  # the places of the dead are taken
        for number in range(ORDERS):
            hooks.clock.now = datetime.now(UTC)
            began, before = time.monotonic(), len(receiver.got)
            await hooks.placed(f"o{number}")
            await receiver.has(before + 1)
            late_s.append(time.monotonic() - began)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    late_s.sort()
    print(f"{DEAD} dead: median {late_s[ORDERS // 2] * 1_000:.0f} ms, worst {late_s[-1] * 1_000:.0f} ms")
    assert late_s[-1] < LATE_S
    assert [row[0] for row in await hooks.rows("SELECT count(*) > 0 FROM delivery WHERE taken IS NOT NULL")] == [True]
