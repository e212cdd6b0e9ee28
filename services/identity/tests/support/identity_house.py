"""identity on a real PostgreSQL without its network edge."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from argon2 import PasswordHasher
from relaying import eventually

from eventfold import Ask, Context, Item
from identity.adapters.notifier import Notifier
from identity.application.password_hashes import PasswordHashes
from identity.bootstrap import parts
from identity.domain.member import MEMBER, RehashPassword
from identity.entrypoints.policies import POLICIES, SERVICE
from identity.entrypoints.servicer import IdentityServicer
from lyceum.identity.v1 import identity_pb2 as pb
from servicekit.caller import Caller
from servicekit.policy import guarded
from servicekit.server import read_gate
from servicekit.testing import House

PASSWORD = "password123"
PAST = datetime(1997, 5, 1, tzinfo=UTC)


@dataclass
class IdentityHouse(House):
    """The service at a time that stands still; what is done again and again here."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def notify_by(self, notifier: Notifier) -> None:
        """Deliver codes by another notifier than the profile's."""
        wired = parts(self.wiring)
        claim_codes = replace(wired.claim_codes, notifier=notifier)
        behaviour = IdentityServicer(replace(wired, claim_codes=claim_codes))
        servicer = guarded(SERVICE, [(behaviour, POLICIES)], read_gate(self.wiring))
        self.rpcs = {name: getattr(servicer, name) for name in self.rpcs}

    async def register(self, name: str, **fields: Any) -> Any:
        return await self.call(pb.RegisterRequest(username=name, password=PASSWORD, **fields))

    async def log_in(self, name: str, password: str = PASSWORD) -> Any:
        return await self.call(pb.LogInRequest(username=name, password=password))


def importing(*names: str, dataset: str = "d", **changes: Any) -> pb.ImportMembersRequest:
    request = pb.ImportMembersRequest(dataset=dataset)
    for number, name in enumerate(names):
        item = request.items.add(external_id=str(number), username=name, role=changes.get("role", "consumer"))
        item.registered_at.FromDatetime(changes.get("registered_at", PAST))
    return request


IMPORTER = Caller("boss", "importer", "s")


async def erase(house: IdentityHouse, member_id: str) -> None:
    async with house.wiring.pool.connection() as conn:
        await house.wiring.subject_keys.destroy(conn, member_id)


async def weaken(house: IdentityHouse, member_id: str) -> None:
    """Give the member a hash of the password made under weaker parameters than today's."""
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    sealed = await PasswordHashes(house.wiring.pool, house.wiring.subject_keys).seal(member_id, weak)
    item = Item((Ask(MEMBER, member_id, RehashPassword(sealed)),))
    await house.wiring.store.handle(item, Context(house.now, "test", "c"))


async def code_for(house: IdentityHouse, name: str) -> str:
    """Ask for a code and wait for its delivery, which comes after the answer."""
    before = len(sent(house))
    await house.call(pb.IssueClaimCodeRequest(username=name))

    async def delivered() -> bool:
        return len(sent(house)) > before

    await eventually(delivered)
    return sent(house)[-1]["code"]


def sent(house: IdentityHouse) -> list[dict[str, str]]:
    path = house.wiring.settings.key_dir / "notifications.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def claim(name: str, code: str) -> pb.ClaimAccountRequest:
    return pb.ClaimAccountRequest(username=name, code=code, password=PASSWORD)
