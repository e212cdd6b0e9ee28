"""An admin gives roles: to whom, what is recorded and logged, and who is refused."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from identity_house import IdentityHouse, importing

from eventfold import Context
from eventfold.errors import DomainError, IdempotencyMismatch, InvalidInput, NotFound, NotPermitted, Unauthenticated
from identity.application.accounts import Accounts
from identity.domain.member import ROLES
from lyceum.identity.v1 import identity_pb2 as pb
from servicekit.caller import Caller
from servicekit.testing import refused

GRANTS = "SELECT meta->>'actor', data->>'previous', data->>'role' FROM events WHERE type = 'member.role_granted'"


@pytest.fixture
async def admin(house: IdentityHouse) -> Caller:
    """An account whose role an operator has raised, so that its stream and its token say the same."""
    return await with_role(house, "chief", "admin")


async def with_role(house: IdentityHouse, name: str, role: str) -> Caller:
    await house.register(name)
    member_id = (await house.log_in(name)).member_id
    await Accounts(house.store, house.pool, house.wiring.subject_keys).grant(
        member_id, role, Context(house.now, "operator", "c")
    )
    return Caller(member_id, role, "s")


async def member_of(house: IdentityHouse, name: str) -> str:
    await house.register(name)
    return str((await house.log_in(name)).member_id)


def grant(member_id: str, role: str = "importer") -> pb.GrantRoleRequest:
    return pb.GrantRoleRequest(member_id=member_id, role=role)


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.__dict__ for record in caplog.records if record.name == "security"]


@pytest.mark.parametrize("role", [role for role in ROLES if role != "consumer"])
async def test_given_a_member_when_an_admin_grants_a_role_then_its_next_tokens_carry_it(
    house: IdentityHouse, admin: Caller, role: str
) -> None:
    member_id = await member_of(house, "ada")
    answer = await house.call(grant(member_id, role), admin)
    assert (answer.member_id, answer.role) == (member_id, role) and answer.consistency_token
    assert (await house.log_in("ada")).role == role
    assert (await house.rows(GRANTS))[1:] == [(admin.member_id, "consumer", role)]


async def test_given_a_running_session_when_the_role_is_granted_then_a_refreshed_token_carries_it(
    house: IdentityHouse, admin: Caller
) -> None:
    member_id = await member_of(house, "ada")
    before = await house.log_in("ada")
    await house.call(grant(member_id, "auditor"), admin)
    after = await house.call(pb.RefreshSessionRequest(refresh_token=before.refresh_token))
    assert (role_in(before.access_token), role_in(after.access_token)) == ("consumer", "auditor")


def role_in(access_token: str) -> str:
    """What the token's middle part says, read without the code that made it."""
    middle = access_token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))["role"])


async def test_given_the_role_that_the_member_has_then_nothing_is_recorded_or_logged(
    house: IdentityHouse, admin: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    member_id = await member_of(house, "ada")
    answer = await house.call(grant(member_id, "consumer"), admin)
    assert (answer.role, answer.consistency_token) == ("consumer", "")
    assert len(await house.rows(GRANTS)) == 1, "the admin's own alone"
    assert not logged(caplog)


async def test_given_a_grant_then_one_line_of_the_security_log_tells_who_gave_whom_what(
    house: IdentityHouse, admin: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    member_id = await member_of(house, "ada")
    for _ in range(2):
        await house.call(grant(member_id), admin, idempotency_key="k", x_lyceum_client="192.0.2.7")
    [line] = logged(caplog)
    assert (line["msg"], line["method"], line["member_id"]) == ("granted", "GrantRole", admin.member_id)
    assert (line["granted_to"], line["granted_role"]) == (member_id, "importer")
    assert line["client"] and "192.0.2.7" not in str(line)


async def test_given_a_key_when_the_grant_is_repeated_then_it_is_answered_alike_and_another_is_refused(
    house: IdentityHouse, admin: Caller
) -> None:
    member_id = await member_of(house, "ada")
    first = await house.call(grant(member_id), admin, idempotency_key="k")
    await house.call(grant(member_id, "auditor"), admin)
    assert await house.call(grant(member_id), admin, idempotency_key="k") == first
    assert (await house.log_in("ada")).role == "auditor", "what was repeated is not done again"
    with pytest.raises(IdempotencyMismatch):
        await house.call(grant(member_id, "creator"), admin, idempotency_key="k")


@pytest.mark.parametrize(
    ("member_id", "role", "field"),
    [
        ("m", "", "role"),
        ("m", "Importer", "role"),
        ("m", "importer ", "role"),
        ("m", "operator", "role"),
        ("", "importer", "member_id"),
        ("m" * 201, "importer", "member_id"),
    ],
)
async def test_given_a_request_that_cannot_be_then_the_field_is_named(
    house: IdentityHouse, admin: Caller, member_id: str, role: str, field: str
) -> None:
    refusal = await refused(house.call(grant(member_id, role), admin), InvalidInput)
    assert isinstance(refusal, InvalidInput) and refusal.field == field


async def test_given_no_such_member_then_it_is_not_found(house: IdentityHouse, admin: Caller) -> None:
    for nobody in ("nobody", "me", "00000000-0000-4000-8000-000000000000"):
        await refused(house.call(grant(nobody), admin), NotFound)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
async def test_given_any_other_role_then_it_grants_nothing(house: IdentityHouse, role: str) -> None:
    caller = await with_role(house, "climber", role)
    before = await house.rows(GRANTS)
    await refused(house.call(grant(await member_of(house, "ada")), caller), NotPermitted)
    await refused(house.call(grant(caller.member_id, "admin"), caller), NotPermitted)
    assert await house.rows(GRANTS) == before


async def test_given_no_token_then_nothing_is_granted(house: IdentityHouse) -> None:
    await refused(house.call(grant(await member_of(house, "ada"))), Unauthenticated)


@pytest.mark.parametrize("role", ROLES)
async def test_given_the_own_account_then_no_admin_changes_its_role(
    house: IdentityHouse, admin: Caller, role: str
) -> None:
    refusal = await refused(house.call(grant(admin.member_id, role), admin), NotPermitted)
    assert "their own role" in str(refusal)
    assert (await house.log_in("chief")).role == "admin"


async def test_given_an_admin_who_is_none_any_more_then_an_older_token_grants_nothing(
    house: IdentityHouse, admin: Caller
) -> None:
    other = await with_role(house, "second", "admin")
    await house.call(grant(other.member_id, "consumer"), admin)
    await refused(house.call(grant(admin.member_id, "consumer"), other), NotPermitted)
    assert (await house.log_in("chief")).role == "admin"


async def test_given_many_grants_at_once_then_each_is_recorded_over_the_one_before(
    house: IdentityHouse, admin: Caller
) -> None:
    member_id = await member_of(house, "ada")
    roles = ["creator", "importer", "auditor"]
    answers = await asyncio.gather(*(house.call(grant(member_id, role), admin) for role in roles))
    assert [answer.role for answer in answers] == roles
    steps = [(before, after) for _, before, after in (await house.rows(GRANTS + " ORDER BY position"))[1:]]
    assert [before for before, _ in steps] == ["consumer", *(after for _, after in steps[:-1])]


async def test_given_an_unclaimed_account_then_it_gets_its_role_and_still_cannot_log_in(
    house: IdentityHouse, admin: Caller
) -> None:
    results = (await house.call(importing("unclaimed"), Caller("boss", "importer", "s"))).results
    answer = await house.call(grant(results[0].id, "creator"), admin)
    assert answer.role == "creator"
    await refused(house.log_in("unclaimed"), DomainError)
