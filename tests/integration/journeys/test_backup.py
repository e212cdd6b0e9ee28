"""A community that is saved, goes on, and is brought back: what was before is there, what came after is nowhere."""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from community import IMPORTER, PASSWORD, Community, Session, eventually
from operating import doctor, make_account
from shop import Shop, bought, opened, paid, quote

from lyceum_local import backup, restoring
from lyceum_local.settings import SERVICES, Ports, StackSettings
from lyceum_local.stack import LocalStack
from servicekit.definition import ServiceDefinition

pytestmark = pytest.mark.one_machine("databases, keys and passwords in folders of this machine")

LIKES_BEFORE, LIKES_AFTER = 3, 2
SETTLED_S = 90.0
DIGEST = "SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM (SELECT {} FROM {}) t"


@dataclass(frozen=True)
class Scene:
    """One instance and its community, which goes on by the same address after a restore."""

    stack: LocalStack
    community: Community
    kafka_emptied: bool

    def settled(self, service: str) -> bool:
        return doctor(self.stack, service)[0] == 0


@pytest.fixture(params=["Kafka is emptied", "Kafka stays as it is"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, backing: LocalStack) -> Iterator[Scene]:
    stays = request.param == "Kafka stays as it is"
    settings = StackSettings(docker=False, kafka_bootstrap=backing.kafka_bootstrap if stays else None)
    stack = LocalStack(tmp_path / "stack", Ports.free(), prefix=f"b{uuid.uuid4().hex[:6]}.", settings=settings)
    try:
        stack.up()
        make_account(stack, IMPORTER, "importer")
        yield Scene(stack, Community(stack.around.public_url, IMPORTER), kafka_emptied=not stays)
    finally:
        stack.down()


def digests(stack: LocalStack) -> dict[str, str]:
    """A digest of the rows of each table that a fold writes, by service and table."""
    found = {}
    for service in SERVICES:
        definition: ServiceDefinition = importlib.import_module(f"{service}.bootstrap").DEFINITION
        tables = {table.name: table.columns for one in definition.projections for table in one.tables}
        with psycopg.connect(stack.database_url(service)) as conn:
            for table, columns in tables.items():
                [(digest,)] = conn.execute(DIGEST.format(", ".join(columns), table).encode()).fetchall()
                found[f"{service}.{table}"] = digest
    return found


def like(member: Session, shop: Shop) -> None:
    member.post(f"/v1/contents/{shop.content_id}/interactions", {"kind": "like"})


def likes(member: Session, shop: Shop) -> int:
    return int(member.get(f"/v1/contents/{shop.content_id}")["counters"]["likes"])


def balance(community: Community) -> list[dict[str, str]]:
    totals: list[dict[str, str]] = community.importer().get("/v1/ledger/trial-balance")["totals"]
    return totals


def entitled(member: Session, shop: Shop) -> bool:
    return bool(member.get(f"/v1/contents/{shop.content_id}")["access"]["allowed"])


def known(member: Session, order_id: str) -> bool:
    return member.request("GET", f"/v1/orders/{order_id}").status_code == 200


def test_given_a_backup_under_way_of_life_when_it_is_restored_then_that_moment_is_everywhere_and_life_goes_on(
    scene: Scene, tmp_path: Path
) -> None:
    community, stack = scene.community, scene.stack
    shop, early, late = opened(community), community.member(), community.member()
    order = bought(early, stack, quote(early, shop))
    for fan in [community.member() for _ in range(LIKES_BEFORE)]:
        like(fan, shop)
    eventually(lambda: entitled(early, shop) and likes(early, shop) == LIKES_BEFORE)

    eventually(lambda: all(map(scene.settled, SERVICES)), SETTLED_S)
    then = digests(stack)
    saved = backup.back_up(stack, tmp_path / "saved")

    newcomer = f"n{uuid.uuid4().hex[:12]}"
    community.anonymous().post("/register", {"username": newcomer, "password": PASSWORD, "role": "consumer"})
    second = opened(community)
    gone = bought(late, stack, quote(late, shop))
    for fan in [community.log_in(newcomer), late][:LIKES_AFTER]:
        like(fan, shop)
    eventually(lambda: entitled(late, shop) and likes(early, shop) == LIKES_BEFORE + LIKES_AFTER)

    restoring.restore(stack, saved, force=True)

    eventually(lambda: likes(early, shop) == LIKES_BEFORE, SETTLED_S)
    if scene.kafka_emptied:
        eventually(lambda: digests(stack) == then, SETTLED_S)
    eventually(lambda: entitled(early, shop) and known(early, order), SETTLED_S)
    assert paid(early, order)
    eventually(lambda: not entitled(late, shop), SETTLED_S)
    assert not known(late, gone)
    assert community.anonymous().request("GET", f"/v1/contents/{second.content_id}").status_code == 404
    refused = {"username": newcomer, "password": PASSWORD}
    assert community.anonymous().request("POST", "/v1/sessions", json=refused).status_code == 401
    assert all(int(one["sum_minor"]) == 0 for one in balance(community))

    like(late, shop)
    bought(late, stack, quote(late, shop))
    eventually(lambda: entitled(late, shop) and likes(early, shop) == LIKES_BEFORE + 1)
    third = opened(community)
    assert community.anonymous().get(f"/v1/contents/{third.content_id}")["content_id"] == third.content_id
    eventually(lambda: all(map(scene.settled, SERVICES)), SETTLED_S)
