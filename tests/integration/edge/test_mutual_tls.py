"""A small stack whose parts speak mutual TLS: strangers are refused, and certificates are replaced while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import httpx
import pytest
from aiokafka.errors import KafkaError
from community import PASSWORD, Community, Session, eventually
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from operating import doctor

from eventfold.certificates import read
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import existing_topics
from lyceum_local.authority import Authority
from lyceum_local.instance import OPERATOR
from lyceum_local.ports import LOOPBACK, free_port
from lyceum_local.services import TLS
from lyceum_local.settings import Ports, StackSettings
from lyceum_local.stack import LocalStack

SERVICES = ("identity", "catalog")
PROCESSES = ("identity-serve", "identity-work", "catalog-serve", "catalog-work", "gateway")
PUBLICATION = {"title": "Python编程基础", "author": "王老师", "content": "变量、循环与函数。"}
ROTATION_S = 60.0


@pytest.fixture(scope="module")
def tls_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = StackSettings(tls=True, docker=False, postgres_url=None, kafka_bootstrap=None)
    made = LocalStack(tmp_path_factory.mktemp("tls"), Ports.free(), prefix="tls.", settings=settings)
    try:
        made.start_backing()
        made.prepare(SERVICES)
        made.launch_servers(SERVICES)
        made.start_servers(SERVICES)
        made.start_workers(SERVICES)
        made.start_gateway()
        yield made
    finally:
        made.down()


@pytest.fixture
def stranger(tls_stack: LocalStack, tmp_path: Path) -> Path:
    """A certificate of another authority, whose owner trusts the stack's."""
    Authority(tmp_path / "another").issue(tmp_path / "stranger", "stranger")
    shutil.copy(tls_stack.data_dir / TLS / OPERATOR / "ca.crt", tmp_path / "stranger")
    return tmp_path / "stranger"


def publishes_and_reads(stack: LocalStack) -> None:
    """Registers, logs in, publishes, and reads it back from the fold: through gateway, services and Kafka."""
    creator = Community(stack.around.public_url, "").member("creator")
    answer = creator.request("POST", "/publish", json=PUBLICATION)
    assert answer.json() == {"message": "Content published successfully."}
    listed = creator.get_after("/v1/contents", [answer.headers["x-lyceum-token"]], creator_id=creator.member_id)
    assert [one["title"] for one in listed["contents"]] == [PUBLICATION["title"]]


def asked(target: str, tls_dir: Path | None) -> str:
    """What gRPC health at `target` says to the owner of a certificate, or to a client in plain text."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    if tls_dir:
        pem = read(tls_dir)
        credentials = grpc.ssl_channel_credentials(pem.authority, pem.key, pem.certificate)
    with (
        grpc.secure_channel(target, credentials, options) if tls_dir else grpc.insecure_channel(target, options)
    ) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)  # type: ignore[attr-defined]
        except grpc.RpcError as failure:
            return str(failure.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def target_of(stack: LocalStack, service: str) -> str:
    return f"{LOOPBACK}:{stack.ports.of(service)}"


def pids(stack: LocalStack) -> dict[str, int]:
    return {name: stack.pid(name) for name in PROCESSES}


def test_registering_publishing_and_reading_work_over_tls(tls_stack: LocalStack) -> None:
    publishes_and_reads(tls_stack)


def test_keys_are_for_their_owner_alone(tls_stack: LocalStack) -> None:
    files = [file for file in (tls_stack.data_dir / TLS).rglob("*") if file.is_file()]
    files.append(tls_stack.data_dir / "kafka" / "keystore.pem")
    assert len([file for file in files if file.name == "tls.key"]) >= len(SERVICES) + 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_takes_only_clients_of_its_authority(tls_stack: LocalStack, stranger: Path, service: str) -> None:
    target = target_of(tls_stack, service)
    assert asked(target, tls_stack.data_dir / TLS / OPERATOR) == "SERVING"
    assert asked(target, None) == "UNAVAILABLE"
    assert asked(target, stranger) == "UNAVAILABLE"


async def test_kafka_takes_only_clients_of_its_authority(tls_stack: LocalStack, stranger: Path) -> None:
    assert await existing_topics(tls_stack.brokers)
    for brokers in (Brokers(tls_stack.kafka_bootstrap), Brokers.at(tls_stack.kafka_bootstrap, str(stranger))):
        with pytest.raises(KafkaError):
            await existing_topics(brokers)


def test_an_operators_command_reaches_kafka_over_tls(tls_stack: LocalStack) -> None:
    status, findings = doctor(tls_stack, "identity")
    assert status == 0, findings


@contextlib.contextmanager
def another(stack: LocalStack, service: str, role: str, **more: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """One more process of a service, with a health port; gives its address."""
    port = str(free_port())
    told = {**os.environ, **stack.environment(service), "HEALTH_PORT": port, **more}
    with subprocess.Popen([sys.executable, "-m", service, role], env=told, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"{LOOPBACK}:{port}", process
        finally:
            process.terminate()
            process.wait(30)


def asked_for(target: str, service: str) -> str:
    """What a health port says of `service`, or the status with which it refuses."""
    with grpc.insecure_channel(target) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        try:
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        except grpc.RpcError as failure:
            return str(failure.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def test_a_workers_health_is_asked_in_plain_text_on_a_port_of_its_own(tls_stack: LocalStack) -> None:
    with another(tls_stack, "identity", "work") as (target, _):
        eventually(lambda: asked_for(target, "") == "SERVING", ROTATION_S)
        assert asked_for(target, "live") == "SERVING"
        assert asked_for(target, "alive") == "NOT_FOUND"


def test_a_server_that_drains_is_not_ready_and_lives(tls_stack: LocalStack) -> None:
    told = {"GRPC_PORT": str(free_port()), "RELAY_INLINE": "false", "DRAIN_NOTICE_S": "5"}
    with another(tls_stack, "identity", "serve", **told) as (target, process):
        eventually(lambda: asked_for(target, "") == "SERVING", ROTATION_S)
        process.terminate()
        eventually(lambda: asked_for(target, "") == "NOT_SERVING", 4.0)
        assert asked_for(target, "live") == "SERVING"


def test_what_has_expired_is_refused_and_heals_with_its_renewal_without_a_restart(tls_stack: LocalStack) -> None:
    """Given a service whose certificate has expired, new callers refuse it and requests fail; when the certificate is
    renewed, both pass again, in the same process."""
    before = pids(tls_stack)
    target, operator = target_of(tls_stack, "catalog"), tls_stack.data_dir / TLS / OPERATOR
    house = Authority(tls_stack.data_dir / TLS / "authority")
    house.issue(tls_stack.data_dir / TLS / "catalog", "catalog", valid_for=timedelta(seconds=-1))
    eventually(lambda: asked(target, operator) == "UNAVAILABLE", ROTATION_S)
    house.issue(tls_stack.data_dir / TLS / "catalog", "catalog")
    eventually(lambda: asked(target, operator) == "SERVING", ROTATION_S)
    publishes_and_reads(tls_stack)
    assert pids(tls_stack) == before


def test_certificates_and_their_authority_are_replaced_without_a_restart(tls_stack: LocalStack, tmp_path: Path) -> None:
    """Given a running stack, when all certificates are replaced by those of another authority and Kafka comes back
    with them, then requests pass again, in the same processes, and the certificates before are refused."""
    before, old = pids(tls_stack), shutil.copytree(tls_stack.data_dir / TLS / OPERATOR, tmp_path / "old")
    shutil.rmtree(tls_stack.data_dir / TLS / "authority")
    for owner in (*SERVICES, "gateway", OPERATOR):
        tls_stack.around.tls_dir(owner)
    tls_stack.start_kafka()  # with another certificate it is another program: it restarts
    shutil.copy(tls_stack.data_dir / TLS / OPERATOR / "ca.crt", old)  # who has the old certificate trusts the new ones
    with pytest.raises(KafkaError):
        asyncio.run(existing_topics(Brokers.at(tls_stack.kafka_bootstrap, str(old))))
    for service in SERVICES:
        assert asked(target_of(tls_stack, service), tls_stack.data_dir / TLS / OPERATOR) == "SERVING"
        assert asked(target_of(tls_stack, service), old) == "UNAVAILABLE"
    eventually(lambda: gateway_presents(tls_stack), ROTATION_S)
    eventually(lambda: answers(tls_stack), ROTATION_S)
    publishes_and_reads(tls_stack)
    assert pids(tls_stack) == before


def gateway_presents(stack: LocalStack) -> bool:
    """Whether the gateway has taken its new certificate up."""
    page = httpx.get(f"http://{LOOPBACK}:{stack.ports.gateway_admin}/certs").json()
    wanted = x509.load_pem_x509_certificate((stack.data_dir / TLS / "gateway" / "tls.crt").read_bytes())
    serials = {int(one["serial_number"], 16) for part in page["certificates"] for one in part.get("cert_chain", ())}
    return serials == {wanted.serial_number}


def answers(stack: LocalStack) -> bool:
    """Whether what a new member needs is there again."""
    anonymous: Session = Community(stack.around.public_url, "").anonymous()
    name = f"m{os.urandom(6).hex()}"
    answer = anonymous.request("POST", "/register", json={"username": name, "password": PASSWORD})
    return answer.status_code == 200
