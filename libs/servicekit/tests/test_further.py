"""Further roles of a service: their names, and a process of its own that runs one from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from servicekit import runtime
from servicekit.background import STOP_S
from servicekit.definition import RoleNameTaken, ServiceDefinition, Works
from servicekit.probe import complaint
from servicekit.slices import Slice, further_of, made_of
from servicekit.testing import migrated

WITHIN_S = 30.0
SAMPLE = """
import asyncio, hashlib, logging, time
from pathlib import Path
from psycopg import OperationalError
from psycopg.errors import ReadOnlySqlTransaction
from eventfold import EventCodec
from servicekit.definition import ServiceDefinition
from servicekit.runtime import main
from servicekit.settings import ServiceSettings

failures = [OperationalError("the database was away")]

async def register(wiring, server):
    raise AssertionError("a further role serves no gRPC")

def step():
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        hashlib.sha256(b"x").digest()

def learn(wiring):
    async def learning():
        if failures:
            raise failures.pop()
        async with wiring.pool.connection() as conn:
            await conn.execute("INSERT INTO said VALUES ('written')")
        async with wiring.queries.connection() as conn:
            [said] = await (await conn.execute("SELECT what FROM said")).fetchone()
            logging.info("read: %s", said)
            try:
                await conn.execute("INSERT INTO said VALUES ('by a reader')")
            except ReadOnlySqlTransaction:
                logging.info("refused to a reader")
        while True:
            await asyncio.to_thread(step)

    async def closed():
        logging.info("closed")

    wiring.closing.add("sample", closed)
    return {"learning": learning}

def forget(wiring):
    async def forgetting():
        raise KeyError("a mistake in the program")

    return {"forgetting": forgetting}

DEFINITION = ServiceDefinition(
    name="sample",
    settings=ServiceSettings,
    migrations=Path(__file__).parent / "migrations",
    codec=EventCodec({}),
    to_public=lambda _: None,
    register=register,
    further={"learn": learn, "forget": forget},
)

if __name__ == "__main__":
    main(DEFINITION)
"""
MIGRATION = """
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.execute("CREATE TABLE said (what text NOT NULL)")
"""
LATER = 'revision, down_revision = "0002", "0001"\ndef upgrade():\n    pass\n'


def no_works(_: object) -> Mapping[str, Any]:
    return {}


def defined(further: Mapping[str, Works], **more: Any) -> ServiceDefinition:
    nothing = cast(Any, None)
    named = {"name": "x", "settings": nothing, "migrations": nothing, "codec": nothing, "to_public": nothing}
    return ServiceDefinition(**cast(Any, named), register=nothing, further=further, **more)


@pytest.mark.parametrize("name", ["prepare", "serve", "work", "relay", "keys", "create-account"])
def test_given_a_role_or_command_when_a_further_role_has_its_name_then_the_definition_is_refused(name: str) -> None:
    with pytest.raises(RoleNameTaken, match=f"has the name {name}$"):
        defined({"learn": no_works, name: no_works}, commands={"create-account": lambda *_: None})


def test_given_a_command_when_it_has_the_name_of_a_role_then_the_definition_is_refused() -> None:
    with pytest.raises(RoleNameTaken, match=r"has the name serve$"):
        defined({}, commands={"serve": lambda *_: None})


def test_given_the_names_that_every_service_has_when_they_are_refused_then_none_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        runtime.main(defined({}), ["no such role"])
    offered = capsys.readouterr().err.partition("choose from ")[2]
    words = {word.strip("'), \n") for word in offered.split(",")}
    assert words == {"prepare", "serve", "work", "relay", "keys"}


def test_given_slices_with_further_roles_when_a_service_is_made_of_them_then_it_has_all() -> None:
    slices = [Slice(further={"learn": no_works}), Slice(), Slice(further={"draw": no_works})]
    made = made_of(
        slices,
        name="x",
        settings=cast(Any, None),
        migrations=cast(Any, None),
        grpc_service="x",
        add_servicer=lambda *_: None,
    )
    assert made.further == {"learn": no_works, "draw": no_works}


def test_given_two_slices_when_they_have_one_role_name_then_it_is_refused() -> None:
    with pytest.raises(RoleNameTaken, match=r"has the name learn$"):
        further_of([Slice(further={"learn": no_works}), Slice(further={"learn": no_works})])


@dataclass(frozen=True)
class Sample:
    """A service in a folder, with its own process for each role."""

    folder: Path
    metrics_port: int

    @property
    def definition(self) -> ServiceDefinition:
        spec = importlib.util.spec_from_file_location("sample", self.folder / "sample.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return cast(ServiceDefinition, module.DEFINITION)

    @contextlib.contextmanager
    def running(self, role: str, url: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        told = {
            "DATABASE_URL": url,
            "KAFKA_BOOTSTRAP": "127.0.0.1:1",
            "KEY_DIR": str(self.folder / "keys"),
            "METRICS_PORT": str(self.metrics_port),
            **more,
        }
        command = [sys.executable, str(self.folder / "sample.py"), role]
        with subprocess.Popen(command, env=os.environ | told, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    (tmp_path / "sample.py").write_text(SAMPLE)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_said.py").write_text(MIGRATION)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return Sample(tmp_path, listener.getsockname()[1])


def lines_until(process: subprocess.Popen[str], last: str) -> str:
    """What the process logs, up to the line with `last`; all of it if none has it."""
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if last in line:
            break
    return "".join(lines)


async def test_given_a_further_role_when_it_runs_then_it_is_well_works_again_after_a_failure_and_stops_at_once(
    postgres_url: str, sample: Sample
) -> None:
    async with migrated(postgres_url, sample.definition) as url:
        with sample.running("learn", url) as process:
            said = await asyncio.wait_for(asyncio.to_thread(lines_until, process, "refused to a reader"), WITHIN_S)
            well = {"GRPC_PORT": "0", "METRICS_PORT": str(sample.metrics_port)}
            assert await asyncio.to_thread(complaint, well) is None
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, after = await asyncio.to_thread(process.communicate, timeout=WITHIN_S)
            stopped_s = time.monotonic() - began
        written = await _written(url)
    assert process.returncode == 0, after
    assert stopped_s < STOP_S
    assert '"closed"' in after and "does not stop" not in after
    assert said.count('"role": "learn"') == said.count("\n") > 0
    assert said.count("the database was away") == 1 and "read: written" in said
    assert written == [("written",)]


async def _written(url: str) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(url) as conn:
        return await (await conn.execute("SELECT what FROM said")).fetchall()


async def test_given_a_further_role_when_it_fails_by_a_mistake_then_its_process_ends_with_it(
    postgres_url: str, sample: Sample
) -> None:
    async with migrated(postgres_url, sample.definition) as url:
        with sample.running("forget", url) as process:
            _, said = await asyncio.to_thread(process.communicate, timeout=WITHIN_S)
    assert process.returncode == 1 and "KeyError: 'a mistake in the program'" in said


@pytest.mark.parametrize("role", ["learn", "relay"])
async def test_given_a_health_port_when_a_role_without_grpc_runs_then_it_says_that_it_is_well(
    postgres_url: str, sample: Sample, unused_tcp_port: int, role: str
) -> None:
    """The relay of this sample finds no Kafka, which a new process would not find either."""
    well = {"HEALTH_PORT": str(unused_tcp_port)}
    async with migrated(postgres_url, sample.definition) as url:
        with sample.running(role, url, **well) as process:
            async with asyncio.timeout(WITHIN_S):
                while await asyncio.to_thread(complaint, well):
                    assert process.poll() is None
                    await asyncio.sleep(0.1)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{unused_tcp_port}") as channel:
                stub: Any = health_pb2_grpc.HealthStub(channel)
                said = await stub.Check(health_pb2.HealthCheckRequest(service="live"), timeout=2)
    assert said.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("variable", ["TLS_DIR", "KAFKA_TLS_DIR"])
async def test_given_a_folder_without_certificates_when_a_role_starts_then_it_is_refused_in_one_line(
    postgres_url: str, sample: Sample, variable: str
) -> None:
    async with migrated(postgres_url, sample.definition) as url:
        with sample.running("learn", url, **{variable: str(sample.folder)}) as process:
            _, said = await asyncio.to_thread(process.communicate, timeout=WITHIN_S)
    assert process.returncode == runtime.REFUSED
    assert said.count("\n") == 1 and f"CertificateUnusable: {sample.folder / 'tls.crt'} No such file" in said


async def test_given_a_database_of_an_older_build_when_a_further_role_starts_then_it_is_refused_in_one_line(
    postgres_url: str, sample: Sample
) -> None:
    async with migrated(postgres_url, sample.definition) as url:
        (sample.folder / "migrations" / "0002_later.py").write_text(LATER)
        with sample.running("learn", url) as process:
            _, said = await asyncio.to_thread(process.communicate, timeout=WITHIN_S)
    assert process.returncode == runtime.REFUSED
    assert said.count("\n") == 1 and "SchemaBehind: the database is at migration 0001" in said
