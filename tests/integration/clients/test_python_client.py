"""The example of the Python client makes its sale behind the gateway, and what is built in shows on the real stack."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from community import PASSWORD, Community

from lyceum_client import How, Lyceum
from lyceum_client.errors import InvalidArgument, NotLoggedIn, Unauthenticated
from lyceum_client.messages import catalog, identity

EXAMPLE = Path(__file__).parents[3] / "clients/python/examples/first_sale.py"
EXAMPLE_S = 120
LIST_MINOR = 9_900


def test_the_example_makes_its_sale(community: Community) -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLE), community.url], capture_output=True, text=True, timeout=EXAMPLE_S, check=False
    )
    assert ran.returncode == 0, ran.stderr
    sale, order, reads, orders, again = ran.stdout.splitlines()
    assert sale.startswith("on sale: ")
    assert order.startswith("paid: ") and order.endswith(f", {LIST_MINOR} CNY")
    assert reads == "reads: 变量、循环与函数。"
    assert orders == f"orders: ['{order.split()[1]}']"
    assert again == "again: ALREADY_BOUGHT"


async def joined(lyceum: Lyceum, role: str) -> str:
    name = f"c{uuid.uuid4().hex[:16]}"
    await lyceum.identity.register(identity.RegisterRequest(username=name, password=PASSWORD, role=role))
    await lyceum.log_in(name, PASSWORD)
    return name


async def published(lyceum: Lyceum, title: str, how: How) -> str:
    text = catalog.PublishContentRequest(kind="text", title=title, body="b", access="free")
    return (await lyceum.catalog.publish_content(text, how)).value.content_id


async def test_a_wish_that_is_sent_twice_under_its_key_is_done_once(community: Community) -> None:
    async with Lyceum(community.url) as lyceum:
        await joined(lyceum, "creator")
        wish = How(idempotency_key=str(uuid.uuid4()))
        first, again = [await published(lyceum, "课程", wish) for _ in range(2)]
        other = await published(lyceum, "课程", How())
        with pytest.raises(InvalidArgument) as refusal:
            await published(lyceum, "另一门", wish)
    assert first == again != other
    assert (refusal.value.reason, refusal.value.field) == ("IDEMPOTENCY_KEY_REUSED", "idempotency-key")


async def test_a_list_of_several_pages_holds_what_the_session_has_just_written(community: Community) -> None:
    async with Lyceum(community.url) as lyceum:
        await joined(lyceum, "creator")
        member_id = (await lyceum.identity.get_member()).value.member_id
        made = [await published(lyceum, f"第{number}课", How()) for number in range(3)]
        asked = catalog.ListContentsRequest(creator_id=member_id, page_size=1)
        fresh = await lyceum.catalog.list_contents(asked)
        found = [one.content_id async for one in lyceum.catalog.iter_contents(asked)]
    assert not fresh.is_stale
    assert found == made[::-1]


async def test_a_session_that_is_logged_out_needs_a_new_one(community: Community) -> None:
    async with Lyceum(community.url) as lyceum:
        name = await joined(lyceum, "consumer")
        await lyceum.log_out()
        with pytest.raises(Unauthenticated):
            await lyceum.log_in(name, "wrong password")
        with pytest.raises(NotLoggedIn):
            await lyceum.identity.get_member()
