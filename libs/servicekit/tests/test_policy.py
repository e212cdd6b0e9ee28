"""An RPC is admitted by its policy, waits for what it reads, and is not served without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from eventfold.errors import NotPermitted, Unauthenticated
from lyceum.consistency.v1 import consistency_pb2
from servicekit.call import Call, enter_call
from servicekit.caller import Caller
from servicekit.policy import ROLES, NoPolicy, Policies, Policy, guarded, rpcs_of

SERVICE = "lyceum.consistency.v1.ConsistencyService"
REQUEST = consistency_pb2.ResolveRequest(token="m1")


@dataclass
class Servicer:
    """Remembers what got through to it; its request's `token` stands for a member's id."""

    asked: list[str] = field(default_factory=list)

    async def Resolve(self, request: Any, context: Any) -> str:
        self.asked.append(request.token)
        return "answer"


@dataclass
class Gate:
    waited: list[Sequence[str]] = field(default_factory=list)

    async def wait(self, call: Call, reads: Sequence[str]) -> bool:
        self.waited.append(reads)
        return True


async def ask(policy: Policy, caller: Caller | None, token: str = "m1") -> tuple[Servicer, Gate]:  # noqa: S107 - no password
    servicer, gate = Servicer(), Gate()
    context: Any = None
    enter_call(Call("rpc", {}, caller, datetime.now(UTC), "service", b"k", context))
    admitting = guarded(SERVICE, [(servicer, {"Resolve": policy})], gate)
    assert await admitting.Resolve(consistency_pb2.ResolveRequest(token=token), None) == "answer"
    return servicer, gate


def member(role: str = "consumer", member_id: str = "m1") -> Caller:
    return Caller(member_id, role, "s")


@pytest.mark.parametrize("role", ROLES)
async def test_members_of_every_role_may_call_what_names_none(role: str) -> None:
    servicer, gate = await ask(Policy("query"), member(role))
    assert servicer.asked == ["m1"] and gate.waited == []


async def test_without_a_token_only_what_is_open_to_anyone_is_served() -> None:
    with pytest.raises(Unauthenticated):
        await ask(Policy("query"), None)
    await ask(Policy("query", anyone=True), None)


async def test_another_role_is_refused_before_anything_is_waited_for() -> None:
    policy = Policy("command", ("creator",), reads=("feed",))
    with pytest.raises(NotPermitted, match="creator"):
        await ask(policy, member("consumer"))
    with pytest.raises(NotPermitted):
        await ask(policy, member("a role that there is not"))
    _, gate = await ask(policy, member("creator"))
    assert gate.waited == [("feed",)]


@pytest.mark.parametrize(
    ("token", "role", "admitted"),
    [
        ("m1", "consumer", True),
        ("", "consumer", True),
        ("m2", "consumer", False),
        ("m2", "auditor", True),
        ("M1", "consumer", False),
        (" m1", "consumer", False),
    ],
)
async def test_members_name_themselves_and_operators_anybody(token: str, role: str, admitted: bool) -> None:
    policy = Policy("query", ("auditor",), own="token")
    if admitted:
        await ask(policy, member(role), token)
    else:
        with pytest.raises(NotPermitted):
            await ask(policy, member(role), token)


@pytest.mark.parametrize("policies", [{}, {"Resolve": Policy("query"), "Resolv": Policy("query")}], ids=str)
def test_a_service_whose_rpcs_and_policies_do_not_match_cannot_be_made(policies: Policies) -> None:
    with pytest.raises(NoPolicy, match="Resolv"):
        guarded(SERVICE, [(Servicer(), policies)], Gate())


async def test_what_is_no_rpc_is_not_reached() -> None:
    admitting = guarded(SERVICE, [(Servicer(), {"Resolve": Policy("query")})], Gate())
    assert rpcs_of(SERVICE) == {"Resolve"}
    with pytest.raises(AttributeError):
        _ = admitting.asked
