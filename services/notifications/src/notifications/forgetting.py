"""Forgetting a member: endpoints, secrets, deliveries, the inbox, and the key that opens what is sealed of them.

An operator's command. identity publishes no erasure yet; once it does, what consumes it calls `forget`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from eventfold import Ask, Context, Item
from notifications.endpoint.domain import ENDPOINT, RemoveEndpoint
from servicekit import database
from servicekit.definition import ServiceDefinition, Wiring, wire

ACTOR: Final = "operator"
# The index may be behind; a secret is there from before its endpoint is registered until it is removed.
_ENDPOINTS: Final = """SELECT endpoint_id FROM endpoint WHERE member_id = %(member)s
UNION SELECT endpoint_id FROM endpoint_secret WHERE member_id = %(member)s"""
_DELETES: Final = (
    "DELETE FROM endpoint_secret WHERE endpoint_id = ANY(%s)",
    "DELETE FROM attempt WHERE endpoint_id = ANY(%s)",
    "DELETE FROM delivery WHERE endpoint_id = ANY(%s)",
    "DELETE FROM sending WHERE endpoint_id = ANY(%s)",
)
_OF_MEMBER: Final = ("DELETE FROM notification WHERE member_id = %s", "DELETE FROM inbox_read WHERE member_id = %s")


async def forget(wiring: Wiring, member_id: str, context: Context) -> int:
    """Remove all endpoints of a member, delete what belongs to them, empty the inbox, and destroy the member's key.
    Returns how many endpoints there were. Safe to repeat."""
    async with wiring.pool.connection() as conn:
        rows = await (await conn.execute(_ENDPOINTS, {"member": member_id})).fetchall()
    ids = sorted(row[0] for row in rows)
    async with wiring.store.reading() as conn:
        states = await wiring.store.states(conn, [ENDPOINT.at(one) for one in ids])
    for one in ids:
        if states[ENDPOINT.stream(one)] is not None:
            await wiring.store.handle(Item((Ask(ENDPOINT, one, RemoveEndpoint()),)), context)
    async with wiring.pool.connection() as conn, conn.transaction():
        for statement in _DELETES:
            await conn.execute(statement, [ids])
        for statement in _OF_MEMBER:
            await conn.execute(statement, [member_id])
        await wiring.subject_keys.destroy(conn, member_id)
    return len(ids)


def forget_member(definition: ServiceDefinition, settings: Any, arguments: Sequence[str]) -> None:
    """`python -m notifications forget-member MEMBER_ID`: prints how many endpoints were removed."""
    parser = argparse.ArgumentParser(prog="notifications forget-member", description=forget.__doc__)
    parser.add_argument("member_id", help="as `python -m identity find-member` prints it")
    given = parser.parse_args([*arguments])
    removed = asyncio.run(_forget(definition, settings, given.member_id))
    sys.stdout.write(f"{removed} endpoints removed; the member's key is destroyed\n")


async def _forget(definition: ServiceDefinition, settings: Any, member_id: str) -> int:
    async with database.make_pool(settings.database_url, 2) as pool:
        wiring = wire(definition, settings, pool, lambda: None)
        return await forget(wiring, member_id, Context(datetime.now(UTC), ACTOR, str(uuid.uuid4())))
