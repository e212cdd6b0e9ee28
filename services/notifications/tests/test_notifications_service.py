"""The service on a real PostgreSQL, behind its policies; `settle` does what relay and worker do, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from eventfold.errors import Exhausted, InvalidInput, NotFound, NotPermitted, Unauthenticated
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications import guard
from notifications.bootstrap import DEFINITION
from notifications.settings import NotificationsSettings
from servicekit.caller import Caller
from servicekit.testing import House, housed, refused

CREATOR = Caller("c1", "creator", "session")
OTHER = Caller("c2", "creator", "session")
ADMIN = Caller("a1", "admin", "session")
CONSUMER = Caller("m1", "consumer", "session")
URL = "https://hooks.example.org/lyceum?key=of-the-receiver"
COUNT = "SELECT count(*) FROM events"
SECRETS = "SELECT count(*) FROM endpoint_secret"


@pytest.fixture(autouse=True)
def _public_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"hooks.example.org": ["93.184.215.14"], "new.example.org": ["93.184.215.14", "2606:2800:21f:cb07::1"]}
    monkeypatch.setattr(guard, "system_addresses", lambda host, port: names.get(host, ["10.0.0.1"]))


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with housed(DEFINITION, postgres_url, tmp_path, House) as one:
        yield one


def registering(**more: object) -> pb.RegisterEndpointRequest:
    """A request to register."""
    given = {"url": URL, "types": ["order.paid"], "scope": "own", "description": "the ledger", **more}
    return pb.RegisterEndpointRequest(**given)  # type: ignore[arg-type]


async def registered(house: House, caller: Caller = CREATOR) -> pb.RegisterEndpointResponse:
    """The answer to it."""
    made: pb.RegisterEndpointResponse = await house.call(registering(), caller)
    await house.settle()
    return made


async def test_an_endpoint_is_read_by_its_owner_and_admins_and_its_secret_by_nobody(house: House) -> None:
    made = await registered(house)
    assert made.secret.startswith("whsec_")
    for caller in (CREATOR, ADMIN):
        found = await house.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), caller)
        listed = await house.call(pb.ListEndpointsRequest(), caller)
        assert [*listed.endpoints] == [found.endpoint]
        assert (found.endpoint.url, found.endpoint.description) == (URL, "the ledger")
        assert made.secret not in str(found)
    await refused(house.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), OTHER), NotFound)
    assert not (await house.call(pb.ListEndpointsRequest(), OTHER)).endpoints


async def test_neither_address_nor_secret_is_stored_or_told_in_the_clear(house: House) -> None:
    made = await registered(house)
    stored = str(await house.rows("SELECT e::text FROM events e")) + str(
        await house.rows("SELECT s::text FROM endpoint_secret s")
    )
    assert "hooks.example.org" not in stored and made.secret not in stored and "the ledger" not in stored


async def test_what_is_registered_again_under_one_key_is_registered_once_and_shows_no_secret(house: House) -> None:
    first, again = [await house.call(registering(), CREATOR, idempotency_key="k1") for _ in range(2)]
    assert first.endpoint_id == again.endpoint_id and first.secret and not again.secret
    assert await house.rows(COUNT) == await house.rows(SECRETS) == [(1,)]


@pytest.mark.parametrize(
    "more",
    [
        {"url": ""},
        {"url": "http://hooks.example.org/"},
        {"url": "https://127.0.0.1/"},
        {"url": "https://localhost/"},
        {"url": "https://inside.example.org/"},
        {"types": []},
        {"types": ["no.type"]},
        {"types": ["payment.failed"]},
        {"scope": ""},
        {"scope": "everything"},
        {"description": "x" * 201},
        {"description": "two\nlines"},
    ],
)
async def test_what_is_wrong_is_refused_and_leaves_nothing(house: House, more: dict[str, object]) -> None:
    await refused(house.call(registering(**more), CREATOR), InvalidInput)
    assert await house.rows(COUNT) == await house.rows(SECRETS) == [(0,)]


async def test_everybodys_events_are_for_admins_and_endpoints_not_for_consumers(house: House) -> None:
    await refused(house.call(registering(scope="all"), CREATOR), NotPermitted)
    await refused(house.call(registering(), CONSUMER), NotPermitted)
    await refused(house.call(registering()), Unauthenticated)
    assert (await house.call(registering(scope="all", types=["payment.failed"]), ADMIN)).secret


async def test_a_member_has_a_bounded_number_of_endpoints(house: House) -> None:
    for _ in range(20):
        await house.call(registering(), CREATOR)
    await house.settle()
    await refused(house.call(registering(), CREATOR), Exhausted)
    assert (await house.call(registering(), OTHER)).secret


async def test_a_change_leaves_what_it_does_not_name(house: House) -> None:
    made = await registered(house)
    await refused(house.call(pb.ChangeEndpointRequest(endpoint_id=made.endpoint_id), CREATOR), InvalidInput)
    change = pb.ChangeEndpointRequest(endpoint_id=made.endpoint_id, url="https://new.example.org/")
    await refused(house.call(change, OTHER), NotFound)
    await house.call(change, CREATOR)
    assert not (await house.call(change, CREATOR)).consistency_token, "it is so already"
    found = (await house.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)).endpoint
    assert (found.url, found.description, [*found.types]) == ("https://new.example.org/", "the ledger", ["order.paid"])


async def test_a_new_secret_is_shown_to_the_owner_once(house: House) -> None:
    made = await registered(house)
    rotate = pb.RotateSecretRequest(endpoint_id=made.endpoint_id)
    await refused(house.call(rotate, ADMIN), NotPermitted)
    rotated, again = [await house.call(rotate, CREATOR, idempotency_key="r") for _ in range(2)]
    assert rotated.secret not in ("", made.secret) and not again.secret
    found = (await house.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)).endpoint
    assert found.previous_secret_ends_at == rotated.previous_ends_at
    await house.call(pb.EndSecretRequest(endpoint_id=made.endpoint_id), CREATOR)
    found = (await house.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)).endpoint
    assert not found.HasField("previous_secret_ends_at")


async def test_secrets_that_ended_or_whose_endpoint_is_removed_are_deleted_at_once(house: House) -> None:
    made = await registered(house)
    await house.call(pb.RotateSecretRequest(endpoint_id=made.endpoint_id), CREATOR)
    assert await house.rows(SECRETS) == [(2,)]
    await house.call(pb.EndSecretRequest(endpoint_id=made.endpoint_id), CREATOR)
    assert await house.rows(SECRETS) == [(1,)]
    await house.call(pb.RemoveEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    assert await house.rows(SECRETS) == [(0,)]


@pytest.mark.parametrize("profile", [{}, {"lyceum_profile": "production"}])
def test_addresses_of_the_machine_are_for_the_local_profile_alone(tmp_path: Path, profile: dict[str, Any]) -> None:
    given: dict[str, Any] = {"database_url": "", "kafka_bootstrap": "", "key_dir": tmp_path, **profile}
    assert not NotificationsSettings(**given).webhooks_allow_local
    with pytest.raises(ValidationError, match="LYCEUM_PROFILE=local"):
        NotificationsSettings(**given, webhooks_allow_local=True)
    local = NotificationsSettings(**{**given, "lyceum_profile": "local"}, webhooks_allow_local=True)
    assert local.webhooks_allow_local


async def test_what_is_disabled_says_so_and_what_is_removed_is_gone(house: House) -> None:
    made = await registered(house)
    await house.call(pb.DisableEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    found = (await house.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)).endpoint
    assert (found.state, found.disabled_reason) == ("disabled", "asked")
    await house.call(pb.EnableEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    await house.call(pb.RemoveEndpointRequest(endpoint_id=made.endpoint_id), CREATOR)
    await refused(house.call(pb.GetEndpointRequest(endpoint_id=made.endpoint_id), CREATOR), NotFound)
    await house.settle()
    assert not (await house.call(pb.ListEndpointsRequest(), CREATOR)).endpoints
