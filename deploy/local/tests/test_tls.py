"""Mutual TLS on one machine: who gets which certificate, what Kafka is told, and what later commands remember."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from lyceum_local import gateway, kafka, services
from lyceum_local.authority import RENEW_BEFORE_DAYS, Authority
from lyceum_local.settings import Ports, StackSettings
from lyceum_local.stack import LocalStack

PLAIN = StackSettings(docker=False, postgres_url=None, kafka_bootstrap=None, tls=False)


def around(folder: Path, *, tls: bool = True, kafka_tls: bool = True) -> services.Surroundings:
    return services.Surroundings(folder, Ports(), "", "127.0.0.1:19092", tls, kafka_tls)


def serial(folder: Path) -> int:
    return x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes()).serial_number


def test_given_tls_when_a_service_is_told_its_surroundings_then_it_has_one_certificate_for_all(tmp_path: Path) -> None:
    told = services.environment(around(tmp_path), "billing", "postgresql://")
    assert told["TLS_DIR"] == told["KAFKA_TLS_DIR"] == str(tmp_path / "tls" / "billing")
    assert {file.name for file in Path(told["TLS_DIR"]).iterdir()} == {"tls.crt", "tls.key", "ca.crt"}
    assert stat.S_IMODE(Path(told["TLS_DIR"]).stat().st_mode) == 0o700


def test_given_no_tls_when_a_service_is_told_its_surroundings_then_nothing_of_the_shell_gets_through(
    tmp_path: Path,
) -> None:
    told = services.environment(around(tmp_path, tls=False, kafka_tls=False), "billing", "postgresql://")
    assert told["TLS_DIR"] == told["KAFKA_TLS_DIR"] == ""
    assert not (tmp_path / "tls").exists()


def test_given_a_kafka_of_others_when_there_is_tls_then_it_is_reached_in_plain_text(tmp_path: Path) -> None:
    given = StackSettings(docker=False, postgres_url=None, kafka_bootstrap="kafka.example.org:9092", tls=True)
    stack = LocalStack(tmp_path, Ports(), settings=given)
    assert stack.tls and not stack.kafka_tls and stack.brokers.context is None
    assert services.environment(stack.around, "billing", "postgresql://")["KAFKA_TLS_DIR"] == ""


def test_given_docker_when_there_is_tls_then_kafka_is_no_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyceum_local.containers.engine_answers", lambda: True)
    stack = LocalStack(tmp_path, Ports(), settings=StackSettings(docker=True, postgres_url=None, kafka_bootstrap=None))
    plain = stack.kafka_choice
    stack.speak_tls(wanted=True)
    assert (plain, stack.kafka_choice, stack.kafka_tls) == ("docker", "embedded", True)


def test_given_an_up_with_tls_when_a_later_command_looks_then_it_knows_until_an_up_without(tmp_path: Path) -> None:
    LocalStack(tmp_path, Ports(), settings=PLAIN).speak_tls(wanted=True)
    later = LocalStack(tmp_path, Ports(), settings=PLAIN)
    assert later.tls and later.brokers.client()["security_protocol"] == "SSL"
    later.speak_tls(wanted=False)
    assert not LocalStack(tmp_path, Ports(), settings=PLAIN).tls and later.brokers.context is None


def test_given_tls_when_kafka_is_set_up_then_it_takes_only_clients_with_a_certificate(tmp_path: Path) -> None:
    certificate = around(tmp_path).tls_dir("kafka")
    folder = tmp_path / "kafka"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "meta.properties").touch()
    kafka.initialise(folder, tmp_path, 1, 2, kafka.Listener(port=3, advertised_port=4), certificate)
    lines = (folder / "server.properties").read_text().splitlines()
    assert "listeners=SSL://127.0.0.1:1,CONTROLLER://127.0.0.1:2,EXTRA://127.0.0.1:3" in lines
    assert {"ssl.client.auth=required", "inter.broker.listener.name=SSL"} <= set(lines)
    assert stat.S_IMODE((folder / "keystore.pem").stat().st_mode) == 0o600
    kafka.initialise(folder, tmp_path, 1, 2)
    assert not (folder / "keystore.pem").exists() and "SSL://" not in (folder / "server.properties").read_text()


def test_given_another_certificate_when_kafka_is_started_then_it_is_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "find_java", lambda: Path("java"))
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "server.properties").write_text("")
    plain = kafka.program(tmp_path / "kafka", tmp_path)
    (tmp_path / "kafka" / "keystore.pem").write_text("one")
    first = kafka.program(tmp_path / "kafka", tmp_path)
    (tmp_path / "kafka" / "keystore.pem").write_text("two")
    assert len({str(one) for one in (plain, first, kafka.program(tmp_path / "kafka", tmp_path))}) == 3


def test_given_tls_when_the_gateway_is_configured_then_it_presents_its_own_certificate(tmp_path: Path) -> None:
    gateway.program(around(tmp_path))
    written = (tmp_path / "gateway" / "envoy.yaml").read_text()
    assert "UpstreamTlsContext" in written and str(tmp_path / "gateway" / "upstream-certificate.yaml") in written
    secret = (tmp_path / "gateway" / "upstream-certificate.yaml").read_text()
    assert str(tmp_path / "tls" / "gateway" / "tls.key") in secret and "PRIVATE" not in secret


def test_a_certificate_that_lasts_is_kept_and_one_that_ends_soon_is_renewed(tmp_path: Path) -> None:
    authority, folder = Authority(tmp_path / "authority"), tmp_path / "own"
    first = serial(authority.ensure(folder, "own"))
    assert serial(Authority(tmp_path / "authority").ensure(folder, "own")) == first
    authority.issue(folder, "own", valid_for=timedelta(days=RENEW_BEFORE_DAYS - 1))
    soon = serial(folder)
    assert serial(authority.ensure(folder, "own")) != soon
    renewed = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())
    assert renewed.not_valid_after_utc - datetime.now(UTC) > timedelta(days=RENEW_BEFORE_DAYS)


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
def test_a_certificate_with_a_file_missing_or_half_written_is_made_anew(tmp_path: Path, name: str) -> None:
    authority, folder = Authority(tmp_path / "authority"), tmp_path / "own"
    first = serial(authority.ensure(folder, "own"))
    (folder / name).write_bytes(b"half")
    second = serial(authority.ensure(folder, "own"))
    (folder / name).unlink()
    assert len({first, second, serial(authority.ensure(folder, "own"))}) == 3


def test_a_certificate_of_an_authority_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    first = serial(Authority(tmp_path / "one").ensure(tmp_path / "own", "own"))
    assert serial(Authority(tmp_path / "two").ensure(tmp_path / "own", "own")) != first
