"""The Compose file follows from the tree, and nothing in it is open, privileged or unbounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lyceum_images import composing, databases
from lyceum_images.processes import environment
from lyceum_local.services import Surroundings
from lyceum_local.services import environment as on_one_machine
from lyceum_local.settings import Ports
from lyceum_tree import host, services

FILES = composing.files()
DOCUMENT = composing.document()
CONTAINERS: dict[str, dict[str, Any]] = DOCUMENT["services"]
JOBS = {name for name in CONTAINERS if name.endswith("-prepare")} | {"database"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_written_files_are_those_of_the_tree(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path], "run make generate"


@pytest.mark.parametrize("name", services())
def test_every_process_of_a_service_is_there(name: str) -> None:
    roles = {"-prepare", "", "-work", "-relay", *(f"-{role.replace('_', '-')}" for role in services()[name].further)}
    assert {f"{host(name)}{role}" for role in roles} <= set(CONTAINERS)


@pytest.mark.parametrize("name", services())
def test_a_service_is_told_in_a_container_what_it_is_told_on_one_machine(name: str, tmp_path: Path) -> None:
    told = on_one_machine(Surroundings(tmp_path, Ports(), "", "kafka:9092"), name, "postgresql://")
    tls = {"TLS_DIR", "KAFKA_TLS_DIR"}  # within these networks all is plain text
    assert set(environment(services()[name], "serve")) == {*told, "PGSERVICEFILE"} - tls


def test_only_a_server_serves_grpc() -> None:
    one = services()["reco"]
    ports = {role: environment(one, role)["GRPC_PORT"] for role in ("serve", "work", "relay", "learn")}
    assert ports == {"serve": "50051", "work": "0", "relay": "0", "learn": "0"}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_has_no_privileges_and_is_bounded(name: str) -> None:
    one = CONTAINERS[name]
    assert one["cap_drop"] == ["ALL"] and one["security_opt"] == ["no-new-privileges:true"]
    assert one["read_only"] or name == "kafka"
    assert {"cpus", "memory", "pids"} == set(one["deploy"]["resources"]["limits"])
    assert one["restart"] == ("on-failure:3" if name in JOBS else "unless-stopped")
    assert not one.get("privileged")
    assert "cap_add" not in one or name == "postgres"


def test_nothing_is_published_beyond_loopback() -> None:
    documents = (DOCUMENT, composing.opened())
    ports = [port for told in documents for one in told["services"].values() for port in one.get("ports", [])]
    assert len(ports) == 4 and all(port.startswith("127.0.0.1:") for port in ports)


def test_databases_and_brokers_are_on_no_network_that_leads_out() -> None:
    assert all(CONTAINERS[name]["networks"] == ["data"] for name in ("postgres", "database", "kafka"))
    assert {name for name, one in DOCUMENT["networks"].items() if not one.get("internal")} == {"edge", "outside"}
    assert {name for name, one in CONTAINERS.items() if "outside" in one["networks"]} == {"notifications-send"}
    assert {name for name, one in CONTAINERS.items() if "edge" in one["networks"]} == {"gateway", "simulator"}


def test_no_password_is_in_an_environment() -> None:
    assert not [
        one for one in CONTAINERS.values() if any("PASSWORD" in v and "FILE" not in v for v in one["environment"])
    ]
    for name in services():
        secrets = {each for each, one in CONTAINERS.items() if databases.secret(name) in one.get("secrets", [])}
        assert all(each == "database" or each.startswith(host(name)) for each in secrets)


def test_a_key_folder_of_another_is_mounted_where_the_service_is_told_and_cannot_be_written() -> None:
    mounts = [mount for mount in CONTAINERS["billing"]["volumes"] if isinstance(mount, dict)]
    assert [(one["target"], one["read_only"]) for one in mounts] == [("/keys-of/simulator", True)]
    assert CONTAINERS["billing"]["environment"]["PAYMENT_SIMULATOR_KEY_DIR"] == "/keys-of/simulator"


@pytest.mark.parametrize("name", services())
def test_a_role_has_its_own_schemas_and_the_password_of_its_secret(name: str) -> None:
    script = databases.script()
    assert f"/run/secrets/{databases.secret(name)}`" in script
    assert f'CREATE SCHEMA IF NOT EXISTS "{name}_shadow";' in script
    assert "{" not in script, "every name is filled in"
