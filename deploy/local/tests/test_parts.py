"""The small parts the stack is made of."""

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lyceum_local import backing, gateway, kafka, services, tenancy
from lyceum_local.program import Program
from lyceum_local.secrets_file import Secrets
from lyceum_local.settings import Ports, StackSettings, ports_file, ports_of
from lyceum_local.stack import LocalStack, _stages
from lyceum_local.waiting import poll, tail
from lyceum_tree import ROOT

TOLD = """
[tool.lyceum]
owns = "o"
serves = "s"
ports = { serve = 15004, serve_metrics = 15104, work_metrics = 15109, learn_metrics = 15111 }
"""
SAID = """
from lyceum_local import services, settings, tenancy
print(*services.processes_of("reco"), settings.Ports().of("reco_learn_metrics"), tenancy.connections_of("reco"))
"""


def test_given_no_settings_when_ports_are_read_then_no_two_are_the_same() -> None:
    chosen = Ports().model_dump().values()
    assert len(set(chosen)) == len(chosen)


def test_given_a_setting_when_ports_are_read_then_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LYCEUM_PORT_GATEWAY", "18080")
    assert Ports().gateway == 18080


def test_given_free_ports_asked_for_once_when_asked_again_then_they_are_remembered(tmp_path: Path) -> None:
    chosen = ports_of(tmp_path, free=True)
    assert len(set(chosen.model_dump().values())) == len(Ports.model_fields)
    assert ports_of(tmp_path) == chosen


def test_given_remembered_ports_when_the_tree_has_others_then_new_ones_are_free_and_remembered(tmp_path: Path) -> None:
    chosen = ports_of(tmp_path, free=True)
    known = json.loads(ports_file(tmp_path).read_text())
    del known["reco_work_metrics"], known["gateway"]
    ports_file(tmp_path).write_text(json.dumps(known | {"gone_work_metrics": 1}))
    read = ports_of(tmp_path)
    assert {name: port for name, port in read.model_dump().items() if name in known} == known
    assert len({read.gateway, read.of("reco_work_metrics"), *known.values()}) == len(Ports.model_fields)
    assert not {read.gateway, read.of("reco_work_metrics")} & {Ports().gateway, Ports().of("reco_work_metrics")}
    assert ports_of(tmp_path) == read != chosen


def test_given_a_tree_with_a_further_role_when_settings_are_read_then_its_port_and_its_process_are_there(
    tmp_path: Path,
) -> None:
    package = tmp_path / "tools" / "tree" / "src" / "lyceum_tree"
    shutil.copytree(ROOT / package.relative_to(tmp_path), package)
    (tmp_path / "services" / "reco").mkdir(parents=True)
    (tmp_path / "services" / "reco" / "pyproject.toml").write_text(TOLD)
    told = {**os.environ, "PYTHONPATH": str(package.parent), "LYCEUM_PORT_RECO_LEARN_METRICS": "12345"}
    ran = subprocess.run([sys.executable, "-c", SAID], env=told, capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout.split() == ["reco-serve", "reco-work", "reco-learn", "12345", "36"]


def test_given_a_password_made_when_asked_again_then_it_is_the_same_and_private(tmp_path: Path) -> None:
    file = tmp_path / "passwords.json"
    made = Secrets(file).password("a")
    assert Secrets(file).password("a") == made
    assert Secrets(file).password("b") != made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_given_percent_and_spaces_when_a_program_is_spelt_then_ini_keeps_them(tmp_path: Path) -> None:
    section = Program("p", ("echo", "100 %"), {"URL": "a%20b"}).section(tmp_path)
    assert "command = echo '100 %%'" in section
    assert 'URL="a%%20b"' in section


def test_given_a_quote_in_a_value_when_a_program_is_spelt_then_it_is_refused_without_the_value(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SECRET") as refused:
        Program("p", ("true",), {"SECRET": 'hush"'}).section(tmp_path)
    assert "hush" not in str(refused.value)


def test_given_a_prefix_when_names_are_made_then_instances_differ() -> None:
    assert (tenancy.database_name(""), tenancy.role_name("", "billing")) == ("lyceum", "billing")
    assert (tenancy.database_name("t1."), tenancy.role_name("t1.", "billing")) == ("lyceum_t1", "t1_billing")


@pytest.mark.parametrize(
    ("given", "docker", "engine", "choice"),
    [
        ("host:9092", True, True, "given"),
        (None, True, True, "docker"),
        (None, False, True, "embedded"),
        (None, True, False, "embedded"),
    ],
)
def test_given_what_is_to_be_had_when_a_part_is_chosen_then_the_order_is_address_docker_embedded(
    given: str | None, docker: bool, engine: bool, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyceum_local.containers.engine_answers", lambda: engine)
    assert backing.choose(given, StackSettings(docker=docker)) == choice


def test_given_an_instance_when_a_service_is_told_its_surroundings_then_all_is_there(tmp_path: Path) -> None:
    around = services.Surroundings(tmp_path, Ports(), "t1.", "127.0.0.1:19092")
    told = services.environment(around, "billing", "postgresql://billing@127.0.0.1/lyceum")
    assert told["LYCEUM_PROFILE"] == "local"
    assert told["GRPC_PORT"] == "15003"
    assert told["IDENTITY_TARGET"] == "127.0.0.1:15001"
    assert told["TOPIC_PREFIX"] == told["GROUP_PREFIX"] == "t1."
    assert stat.S_IMODE(Path(told["KEY_DIR"]).stat().st_mode) == 0o700


def test_given_a_simulated_provider_when_services_are_told_its_keys_then_only_billing_is(tmp_path: Path) -> None:
    around = services.Surroundings(tmp_path, Ports(), "", "127.0.0.1:19092")
    told = {name: services.environment(around, name, "postgresql://") for name in ("billing", "catalog")}
    assert told["billing"]["PAYMENT_SIMULATOR_KEY_DIR"] == services.simulator_environment(around)["KEY_DIR"]
    assert "PAYMENT_SIMULATOR_KEY_DIR" not in told["catalog"]


def test_given_other_ports_when_the_gateway_is_configured_then_it_is_another_program(tmp_path: Path) -> None:
    around = services.Surroundings(tmp_path, Ports(), "", "127.0.0.1:19092")
    first = gateway.program(around)
    assert "port_value: 8080" in (tmp_path / "gateway" / "envoy.yaml").read_text()
    assert gateway.program(around) == first
    assert gateway.program(replace(around, ports=Ports(gateway=8081))) != first


def test_given_everything_running_when_it_is_stopped_then_outermost_first_and_postgres_last() -> None:
    names = ["postgres", "kafka", "billing-serve", "billing-work", "reco-learn", "simulator", "web", "gateway"]
    workers = ["billing-work", "reco-learn"]
    assert _stages(names) == [["simulator", "web", "gateway"], workers, ["billing-serve"], ["kafka"], ["postgres"]]


def test_given_a_check_that_never_holds_when_it_is_polled_then_its_last_complaint_comes_back() -> None:
    assert poll(lambda: "not yet", 0.0) == "not yet"
    assert poll(lambda: None, 0.0) is None


def test_given_a_long_log_when_its_tail_is_taken_then_only_the_end_comes() -> None:
    assert tail("a\nb\nc", 2) == "b\nc"


@pytest.mark.parametrize(("complaint", "stopped"), [("no answer", ["kafka"]), (None, [])])
def test_given_a_broker_that_runs_and_does_not_answer_when_it_is_started_then_it_is_ended_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complaint: str | None, stopped: list[str]
) -> None:
    """As after a full disk: then it neither serves nor ends."""
    stack, said, ended = LocalStack(tmp_path, Ports()), list[str](), list[str]()
    monkeypatch.setattr(kafka, "HANGING_S", 0.2)
    monkeypatch.setattr(stack, "say", said.append)
    monkeypatch.setattr(stack, "stop", ended.append)
    monkeypatch.setattr(stack, "_runs", lambda name: name == "kafka")
    monkeypatch.setattr(stack, "_kafka_complaint", lambda: complaint)
    stack._end_hanging_kafka()
    assert ended == stopped and bool(said) == bool(stopped)
