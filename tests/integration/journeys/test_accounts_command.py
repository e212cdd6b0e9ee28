"""`lyceum account` through the gateway: an admin makes an importer, who imports; nobody else makes anybody."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from community import PASSWORD, Community, eventually
from operating import log_of, make_account

from lyceum_local.stack import LocalStack

NEW_PASSWORD = "of-the-new-one"
COMMAND_S = 120


@pytest.fixture(scope="module")
def admin(stack: LocalStack, community: Community) -> str:
    """An admin whom an operator has made."""
    name = f"a{uuid.uuid4().hex[:16]}"
    make_account(stack, name, "admin")
    return name


def lyceum(community: Community, username: str, *words: str, given: str) -> subprocess.CompletedProcess[str]:
    options = ["--gateway", community.url, "--username", username, "--password-stdin", "--json"]
    command = [sys.executable, "-m", "lyceum_cli", *words, *options]
    return subprocess.run(command, input=given, text=True, capture_output=True, timeout=COMMAND_S, check=False)


def create(community: Community, username: str, name: str, role: str) -> subprocess.CompletedProcess[str]:
    given = f"{PASSWORD}\n{NEW_PASSWORD}\n"
    return lyceum(community, username, "account", "create", name, "--role", role, given=given)


def test_given_an_admin_when_it_makes_an_importer_then_that_one_moves_members_in(
    community: Community, admin: str, tmp_path: Path
) -> None:
    name = f"i{uuid.uuid4().hex[:16]}"
    made = create(community, admin, name, "importer")
    assert (made.returncode, made.stderr) == (0, "")
    session = community.log_in(name, NEW_PASSWORD)
    assert json.loads(made.stdout) == {"username": name, "member_id": session.member_id, "role": "importer"}
    members = tmp_path / "members.csv"
    members.write_text(f"external_id,username,registered_at\n1,{name}-old,1996-01-01T00:00:00Z\n")
    files = ["--dataset", name, "--members", str(members), "--state", str(tmp_path / "state.json")]
    imported = lyceum(
        community, name, "import", "csv", *files, "--rejects", str(tmp_path / "r"), given=f"{NEW_PASSWORD}\n"
    )
    assert (imported.returncode, json.loads(imported.stdout)["kinds"]["members"]["created"]) == (0, 1), imported.stderr
    again = create(community, admin, name, "admin")
    assert again.returncode == 1 and f"the name {name} is taken" in again.stderr
    assert community.log_in(name, NEW_PASSWORD).get("/v1/members/me")["role"] == "importer"


def test_given_a_member_when_the_role_is_granted_then_a_new_token_opens_what_an_older_one_does_not(
    community: Community, admin: str
) -> None:
    name = f"m{uuid.uuid4().hex[:16]}"
    assert create(community, admin, name, "consumer").returncode == 0
    before = community.log_in(name, NEW_PASSWORD)
    words = ["account", "grant", before.member_id, "--role", "auditor"]
    granted = lyceum(community, admin, *words, given=f"{PASSWORD}\n")
    assert json.loads(granted.stdout) == {"member_id": before.member_id, "role": "auditor"}
    assert before.request("GET", "/v1/ledger/trial-balance").status_code == 403
    assert "lines" in community.log_in(name, NEW_PASSWORD).get("/v1/ledger/trial-balance")


def test_given_a_consumer_when_it_grants_roles_then_it_is_refused_and_nothing_has_changed(
    community: Community, admin: str
) -> None:
    climber, name = f"c{uuid.uuid4().hex[:16]}", f"v{uuid.uuid4().hex[:16]}"
    community.anonymous().post("/register", {"username": climber, "password": PASSWORD})
    refused = create(community, climber, name, "admin")
    assert refused.returncode == 1 and "only an admin may do this" in refused.stderr and not refused.stdout
    session = community.anonymous()
    assert session.request("POST", "/v1/sessions", json={"username": name, "password": NEW_PASSWORD}).status_code == 401
    climbing, chief = community.log_in(climber), community.log_in(admin)
    for caller, member_id, status in (
        (climbing, climbing.member_id, 403),
        (climbing, chief.member_id, 403),
        (chief, chief.member_id, 403),
        (chief, "nobody", 404),
        (session, climbing.member_id, 401),
    ):
        answer = caller.request("POST", f"/v1/members/{member_id}:grantRole", json={"role": "importer"})
        assert answer.status_code == status, answer.text
    assert climbing.request("POST", f"/v1/members/{climbing.member_id}:grantRole", json={}).status_code == 403
    assert chief.request("POST", f"/v1/members/{climbing.member_id}:grantRole", json={}).status_code == 400
    roles = [community.log_in(who).get("/v1/members/me")["role"] for who in (climber, admin)]
    assert roles == ["consumer", "admin"]


def test_given_a_grant_then_the_security_log_of_identity_tells_who_gave_it(
    stack: LocalStack, community: Community, admin: str
) -> None:
    name = f"g{uuid.uuid4().hex[:16]}"
    made = json.loads(create(community, admin, name, "auditor").stdout)

    def told() -> list[dict[str, str]]:
        lines = [line for line in log_of(stack, "identity-serve").splitlines() if made["member_id"] in line]
        return [found for line in lines if (found := json.loads(line))["event"] == "granted"]

    [line] = eventually(told)
    assert line["logger"] == "security" and line["granted_role"] == "auditor"
    assert line["member_id"] == community.log_in(admin).member_id
