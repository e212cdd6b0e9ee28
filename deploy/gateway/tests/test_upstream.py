"""The real Envoy before a service that speaks mutual TLS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from edge_stand_in import Running, running

from eventfold.certificates import Renewed
from lyceum_gateway.upstream import UpstreamTls, secret_files
from lyceum_local.authority import Authority

RENEWED_S = 30.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "authority")
    for name in ("gateway", "service"):
        made.issue(tmp_path / name, name)
    return made


@contextlib.asynccontextmanager
async def before_tls(folder: Path) -> AsyncIterator[Running]:
    """A gateway with the certificate in `folder`/gateway, before services with the one in `folder`/service."""
    tls = UpstreamTls(str(folder / "gateway"), str(folder))
    for name, text in secret_files(tls).items():
        (folder / name).write_text(text)
    async with running(folder, Renewed(folder / "service"), upstream_tls=tls) as gateway:
        yield gateway


async def registers(gateway: Running) -> int:
    answer = await gateway.client.post("/register", json={"username": "a", "password": "p"})
    return answer.status_code


async def test_requests_pass_over_mutual_tls(tmp_path: Path, authority: Authority) -> None:
    async with before_tls(tmp_path) as gateway:
        assert await registers(gateway) == 200


async def test_a_gateway_in_plain_text_is_refused_by_the_service(tmp_path: Path, authority: Authority) -> None:
    async with running(tmp_path, Renewed(tmp_path / "service")) as gateway:
        assert await registers(gateway) == 503


@pytest.mark.parametrize("who", ["gateway", "service"])
async def test_a_certificate_of_another_authority_is_refused(tmp_path: Path, authority: Authority, who: str) -> None:
    """Both trust ours alone; `who` has one of theirs."""
    ours = (tmp_path / who / "ca.crt").read_bytes()
    Authority(tmp_path / "theirs").issue(tmp_path / who, who)
    (tmp_path / who / "ca.crt").write_bytes(ours)
    async with before_tls(tmp_path) as gateway:
        assert await registers(gateway) == 503


async def test_a_service_with_the_certificate_of_another_host_is_refused(tmp_path: Path, authority: Authority) -> None:
    authority.issue(tmp_path / "service", "service", hosts=["billing.example.org"])
    async with before_tls(tmp_path) as gateway:
        assert await registers(gateway) == 503


async def test_replaced_certificates_are_taken_up_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    """Given a gateway and a service that both go over to another authority, when their connection is closed, then the
    next one is made with the new certificates."""
    async with before_tls(tmp_path) as gateway:
        assert await registers(gateway) == 200
        other = Authority(tmp_path / "other")
        for name in ("gateway", "service"):
            other.issue(tmp_path / name, name)
        await gateway.services_anew()
        async with asyncio.timeout(RENEWED_S):
            while await registers(gateway) != 200:  # noqa: ASYNC110 - the gateway tells nobody
                await asyncio.sleep(0.2)
