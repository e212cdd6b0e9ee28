"""Who may call what, as far as a token's role tells it: against a real Envoy."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest
from edge_stand_in import Running

from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc
from lyceum_gateway.methods import METHODS

LOGGED_S = 20.0
GRANT = "/v1/members/m2:grantRole"
IMPORT = {"dataset": "d", "items": [{"external_id": "1"}]}


async def said(gateway: Running) -> list[dict[str, Any]]:
    """The lines of the security log, once there are some; Envoy writes them at intervals."""
    async with asyncio.timeout(LOGGED_S):
        while True:
            lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{")]
            if found := [line for line in lines if line.get("logger") == "security"]:
                return found
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("claims", [{}, {"role": "creator"}, {"role": "ADMIN"}, {"role": ["admin"]}, {"role": None}])
async def test_who_lacks_the_role_is_refused_before_the_service(gateway: Running, claims: dict[str, Any]) -> None:
    answer = await gateway.client.post(GRANT, json={"role": "auditor"}, headers=gateway.bearer(**claims))
    assert answer.status_code == 403
    told = answer.json()
    assert (told["code"], told["message"]) == (7, "this needs one of the roles: admin")
    assert told["details"][0]["reason"] == "NOT_PERMITTED"
    assert not gateway.services.requests


async def test_who_has_the_role_is_let_through(gateway: Running) -> None:
    answer = await gateway.client.post(GRANT, json={"role": "auditor"}, headers=gateway.bearer(role="admin"))
    assert answer.status_code == 200 and gateway.services.requests


@pytest.mark.parametrize(
    "path", ["/v1/members/m2:grantRole/", "/v1//members/m2:grantRole", "/v1/members/%6d2:grantRole"]
)
async def test_no_way_of_writing_the_path_leads_round_it(gateway: Running, path: str) -> None:
    await gateway.client.post(path, json={"role": "auditor"}, headers=gateway.bearer(role="consumer"))
    assert not gateway.services.requests


async def test_native_grpc_is_refused_alike(gateway: Running) -> None:
    async with grpc.aio.insecure_channel(gateway.target) as channel:
        stub = identity_pb2_grpc.IdentityServiceStub(channel)
        request = identity_pb2.ImportMembersRequest(dataset="d")
        metadata = [(name, value) for name, value in gateway.bearer(role="creator").items()]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.ImportMembers(request, metadata=metadata)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert refused.value.details() == "this needs one of the roles: importer"
        assert not gateway.services.requests
        metadata = [(name, value) for name, value in gateway.bearer(role="importer").items()]
        await stub.ImportMembers(request, metadata=metadata)


async def test_a_token_for_others_is_no_token_still(gateway: Running) -> None:
    answer = await gateway.client.post(GRANT, json={"role": "auditor"}, headers=gateway.bearer(aud="x", role="admin"))
    assert answer.status_code == 401


async def test_the_security_log_says_who_was_refused_what(gateway: Running) -> None:
    await gateway.client.post(GRANT, json={"role": "auditor"}, headers=gateway.bearer(role="creator", sub="m7"))
    await gateway.client.post(GRANT, json={"role": "auditor"}, headers=gateway.bearer(role="admin"))
    [line] = await said(gateway)
    assert (line["event"], line["status"], line["member_id"]) == ("refused", "PERMISSION_DENIED", "m7")
    assert line["request_id"]


def test_what_members_may_ask_for_themselves_is_the_services_affair() -> None:
    roles = {one.grpc.rpartition("/")[2]: one.roles for one in METHODS}
    assert roles["GrantRole"] == ("admin",) and roles["PublishContent"] == ("creator",)
    assert not roles["GetMemberActivity"] and not roles["LogIn"] and not roles["PlaceOrder"]
