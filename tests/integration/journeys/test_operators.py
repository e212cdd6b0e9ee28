"""Operators' commands on the running stack."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import httpx
import pytest
from community import Community
from operating import doctor

from contracts.emitters import EMITTERS
from lyceum_local.accounts import make_account
from lyceum_local.settings import SERVICES
from lyceum_local.stack import LocalStack

SETTLED_S = 60.0


@pytest.mark.parametrize("service", SERVICES)
def test_the_doctor_finds_nothing_broken_in_a_running_service(
    stack: LocalStack, community: Community, service: str
) -> None:
    community.member()
    status, findings = doctor(stack, service)
    give_up_at = time.monotonic() + SETTLED_S
    while status and time.monotonic() < give_up_at:  # other tests may just have killed something
        status, findings = doctor(stack, service)
    assert (status, [one for one in findings if one["state"] == "broken"]) == (0, [])
    if service in EMITTERS:
        assert [one["state"] for one in findings if one["check"] == "relay lease"] == ["ok"]
    assert next(one for one in findings if one["check"] == "subject keys")["state"] == "ok"


@pytest.mark.one_machine("keys on this machine")
def test_an_operator_makes_an_account_that_may_read_the_ledger(
    stack: LocalStack, community: Community, tmp_path: Path
) -> None:
    name, file = f"a{uuid.uuid4().hex[:16]}", tmp_path / "password"
    file.write_text("operators-own\nanother line\n")
    for _ in range(2):
        assert make_account(stack, name, "auditor", file) == 0
    assert "lines" in community.log_in(name, "operators-own").get("/v1/ledger/trial-balance")
    file.write_text("not-the-same\n")
    assert make_account(stack, name, "admin", file) == 1


@pytest.mark.one_machine("the metrics pages of all processes on this machine's ports")
@pytest.mark.parametrize("service", SERVICES)
def test_workers_and_relays_say_how_far_behind_they_are(stack: LocalStack, community: Community, service: str) -> None:
    community.member()
    give_up_at = time.monotonic() + SETTLED_S
    while not (lags := _samples(stack, f"{service}_work_metrics", "eventfold_fold_lag_records{")) or any(lags):
        assert time.monotonic() < give_up_at, lags
    if service in EMITTERS:
        assert _samples(stack, f"{service}_serve_metrics", "eventfold_relay_lag_seconds{")


def _samples(stack: LocalStack, port: str, beginning: str) -> list[float]:
    text = httpx.get(f"http://127.0.0.1:{stack.ports.of(port)}/metrics", timeout=10).text
    return [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(beginning)]
