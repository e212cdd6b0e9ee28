"""The service on a real PostgreSQL: what callers get, what is kept, and what they cannot do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from identity_house import IMPORTER, PASSWORD, IdentityHouse, importing

from eventfold.errors import AlreadyExists, InvalidInput, Unauthenticated
from identity.adapters.passwords import TooManyAttempts
from lyceum.identity.v1 import identity_pb2 as pb
from servicekit.caller import Caller
from servicekit.testing import refused


async def test_a_registration_answers_exactly_its_sentence(house: IdentityHouse) -> None:
    answer = await house.register("user1")
    assert answer.message == "User registered successfully."
    assert [name.name for name, _ in answer.ListFields()] == ["message"]


async def test_a_name_is_taken_once_whatever_its_case(house: IdentityHouse) -> None:
    await house.register("Alice")
    refusal = await refused(house.register("aLICE"), AlreadyExists)
    assert "lice" not in str(refusal).lower().replace("username", "")


async def test_of_many_at_once_one_gets_the_name(house: IdentityHouse) -> None:
    answers = await asyncio.gather(*(house.register("rush") for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert all(isinstance(answer, AlreadyExists) for answer in answers if isinstance(answer, Exception))
    assert await house.rows("SELECT count(*) FROM events WHERE type = 'member.registered'") == [(1,)]


async def test_a_registration_repeated_under_its_key_registers_once(house: IdentityHouse) -> None:
    for _ in range(2):
        request = pb.RegisterRequest(username="again", password=PASSWORD)
        assert (await house.call(request, idempotency_key="k1")).message == "User registered successfully."
    assert await house.rows("SELECT count(*) FROM events WHERE type = 'member.registered'") == [(1,)]


@pytest.mark.parametrize("role", ["importer", "admin", "auditor", "x"])
async def test_nobody_registers_into_a_role_of_power(house: IdentityHouse, role: str) -> None:
    refusal = await refused(house.register("climber", role=role), InvalidInput)
    assert isinstance(refusal, InvalidInput) and refusal.field == "role"


async def test_the_own_account_is_opened_for_its_member(house: IdentityHouse) -> None:
    await house.register("用户一", email="a@b.c", role="creator")
    session = await house.log_in("用户一")
    me = await house.call(pb.GetMemberRequest(), Caller(session.member_id, "creator", "s"))
    assert (me.username, me.email, me.phone, me.role, me.claimed) == ("用户一", "a@b.c", "", "creator", True)


async def test_nobody_reads_an_account_without_a_token(house: IdentityHouse) -> None:
    await refused(house.call(pb.GetMemberRequest()), Unauthenticated)


async def test_log_in_fails_in_the_same_words_whatever_was_wrong(house: IdentityHouse) -> None:
    await house.register("known")
    await house.call(importing("unclaimed"), IMPORTER)
    tries = [("known", "not the one"), ("unknown", PASSWORD), ("unclaimed", PASSWORD), ("unclaimed", ""), ("\x00", "")]
    refusals = [await refused(house.log_in(*one), Unauthenticated) for one in tries]
    assert len({(type(one), str(one)) for one in refusals}) == 1


async def test_attempts_are_slowed_after_a_burst(house: IdentityHouse) -> None:
    await house.register("target")
    answers = [await asyncio.gather(house.log_in("target", "x"), return_exceptions=True) for _ in range(12)]
    assert any(isinstance(answer, TooManyAttempts) for [answer] in answers)


async def test_a_refresh_token_works_once_and_the_family_ends_with_its_reuse(house: IdentityHouse) -> None:
    await house.register("rotating")
    first = (await house.log_in("rotating")).refresh_token
    second = (await house.call(pb.RefreshSessionRequest(refresh_token=first))).refresh_token
    house.now += timedelta(seconds=11)
    await refused(house.call(pb.RefreshSessionRequest(refresh_token=first)), Unauthenticated)
    await refused(house.call(pb.RefreshSessionRequest(refresh_token=second)), Unauthenticated)


async def test_a_client_that_lost_the_answer_may_refresh_once_more_within_the_grace(house: IdentityHouse) -> None:
    await house.register("unlucky")
    first = (await house.log_in("unlucky")).refresh_token
    await house.call(pb.RefreshSessionRequest(refresh_token=first))
    house.now += timedelta(seconds=9)
    third = (await house.call(pb.RefreshSessionRequest(refresh_token=first))).refresh_token
    assert (await house.call(pb.RefreshSessionRequest(refresh_token=third))).access_token


async def test_a_made_up_token_ends_nobodys_session(house: IdentityHouse) -> None:
    """The session id stands in every access token: knowing it must not be enough to log its owner out."""
    await house.register("victim")
    token = (await house.log_in("victim")).refresh_token
    session_id = token.split(".")[0]
    for made_up in ("", "x", f"{session_id}.", f"{session_id}.abc", f"{session_id}.abc.def", f"{token}x", "\x00.x.y"):
        await refused(house.call(pb.RefreshSessionRequest(refresh_token=made_up)), Unauthenticated)
        await refused(house.call(pb.RevokeSessionRequest(refresh_token=made_up)), Unauthenticated)
    assert (await house.call(pb.RefreshSessionRequest(refresh_token=token))).access_token


async def test_logging_out_ends_the_session_and_may_be_repeated(house: IdentityHouse) -> None:
    await house.register("leaving")
    token = (await house.log_in("leaving")).refresh_token
    for _ in range(2):
        await house.call(pb.RevokeSessionRequest(refresh_token=token))
    await refused(house.call(pb.RefreshSessionRequest(refresh_token=token)), Unauthenticated)


async def test_the_keys_and_the_discovery_document_are_public(house: IdentityHouse) -> None:
    [key] = (await house.call(pb.GetJwksRequest())).keys
    assert (key.kty, key.crv, key.use, key.alg) == ("EC", "P-256", "sig", "ES256") and key.kid and key.x and key.y
    found = await house.call(pb.GetOpenIdConfigurationRequest())
    assert found.issuer == house.wiring.settings.jwt_issuer
    assert found.jwks_uri.endswith("/.well-known/jwks.json")


@pytest.mark.usefixtures("house")
def test_key_files_are_private(key_dir: Path) -> None:
    made: Sequence[Path] = [path for path in key_dir.iterdir() if path.suffix in {".pem", ".key"}]
    assert {path.stat().st_mode & 0o077 for path in made} == {0}
