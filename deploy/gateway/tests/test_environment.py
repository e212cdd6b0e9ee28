"""The gateway as a deployment's environment describes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lyceum_gateway import render
from lyceum_gateway.environment import SettingMissing, SettingUnusable, gateway_of
from lyceum_gateway.limits import Limits
from lyceum_gateway.services import SERVICES
from lyceum_gateway.upstream import UpstreamTls
from lyceum_gateway.writing import write_here

GIVEN = {f"{name.upper()}_TARGET": f"{name}.internal:50051" for name in SERVICES} | {
    "JWT_ISSUER": "https://issuer.test",
    "JWT_AUDIENCE": "lyceum-test",
}


def test_targets_issuer_and_audience_reach_the_configuration() -> None:
    gateway = gateway_of(GIVEN)
    assert gateway.targets["billing"] == [("billing.internal", 50051)]
    rendered = render(gateway)
    assert json.dumps("https://issuer.test") in rendered
    assert '"address": "reco.internal"' in rendered


def test_it_listens_everywhere_and_administers_on_loopback() -> None:
    gateway = gateway_of(GIVEN)
    assert (gateway.listener_host, gateway.listener_port) == ("0.0.0.0", 8080)  # noqa: S104
    assert (gateway.admin_host, gateway.admin_port) == ("127.0.0.1", 9901)


def test_origins_are_separated_by_commas_and_none_is_the_default() -> None:
    assert gateway_of(GIVEN).allowed_origins == ()
    given = GIVEN | {"ALLOWED_ORIGINS": "https://a.test, https://b.test,"}
    assert gateway_of(given).allowed_origins == ("https://a.test", "https://b.test")


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_nothing_is_assumed_for_what_only_the_deployment_knows(name: str) -> None:
    for given in ({key: value for key, value in GIVEN.items() if key != name}, GIVEN | {name: ""}):
        with pytest.raises(SettingMissing) as refusal:
            gateway_of(given)
        assert refusal.value.field == name


@pytest.mark.parametrize("target", ["identity", ":50051", "identity:", "identity:http", "identity:５００５１"])
def test_a_target_without_host_and_port_is_refused_and_not_repeated(target: str) -> None:
    with pytest.raises(SettingUnusable, match="IDENTITY_TARGET must be host:port") as refusal:
        gateway_of(GIVEN | {"IDENTITY_TARGET": target})
    assert refusal.value.field == "IDENTITY_TARGET"


LIMITS = ["REQUESTS_PER_S", "REQUESTS_PER_CLIENT_PER_S", "CREDENTIALS_PER_CLIENT_PER_MIN"]


@pytest.mark.parametrize("name", ["LISTENER_PORT", "ADMIN_PORT", *LIMITS])
@pytest.mark.parametrize("text", ["", "0", "-1", "many"])
def test_numbers_are_whole_and_above_zero(name: str, text: str) -> None:
    with pytest.raises(SettingUnusable, match=name):
        gateway_of(GIVEN | {name: text})


def test_limits_and_proxies_before_it_are_told() -> None:
    gateway = gateway_of(GIVEN | dict.fromkeys(LIMITS, "7") | {"TRUSTED_HOPS": "2"})
    assert (gateway.limits, gateway.trusted_hops) == (Limits(7, 7, 7), 2)
    assert (gateway_of(GIVEN).limits, gateway_of(GIVEN).trusted_hops) == (Limits(), 0)
    with pytest.raises(SettingUnusable, match="TRUSTED_HOPS"):
        gateway_of(GIVEN | {"TRUSTED_HOPS": "-1"})


@pytest.mark.parametrize(
    ("requests", "bucket"),
    [
        (60, {"max_tokens": 60, "tokens_per_fill": 1, "fill_interval": "1.000s"}),
        (3, {"max_tokens": 3, "tokens_per_fill": 1, "fill_interval": "20.000s"}),
        (6000, {"max_tokens": 6000, "tokens_per_fill": 100, "fill_interval": "1.000s"}),
    ],
)
def test_what_is_allowed_in_a_minute_comes_back_a_little_at_a_time(requests: int, bucket: dict[str, object]) -> None:
    [credential, _] = Limits(credentials_per_client_per_min=requests).for_each
    assert credential["token_bucket"] == bucket


def test_services_are_reached_in_plain_text_unless_there_is_a_folder_of_certificates() -> None:
    assert gateway_of(GIVEN).upstream_tls is None
    assert "UpstreamTlsContext" not in render(gateway_of(GIVEN | {"UPSTREAM_TLS_DIR": ""}))
    given = GIVEN | {"UPSTREAM_TLS_DIR": "/tls"}
    assert gateway_of(given).upstream_tls == UpstreamTls("/tls", "/etc/lyceum")
    assert render(gateway_of(given)).count("UpstreamTlsContext") == len(SERVICES)


@pytest.mark.parametrize("name", ["UPSTREAM_TLS_DIR", "UPSTREAM_SECRETS_DIR"])
def test_a_folder_that_depends_on_where_envoy_was_started_is_refused(name: str) -> None:
    with pytest.raises(SettingUnusable, match=f"{name} must be an absolute path"):
        gateway_of(GIVEN | {"UPSTREAM_TLS_DIR": "/tls"} | {name: "tls"})


def test_all_files_of_a_deployment_are_written_into_one_folder(tmp_path: Path) -> None:
    environment = os.environ | GIVEN | {"UPSTREAM_TLS_DIR": "/tls"}
    written = subprocess.run([sys.executable, "-m", "lyceum_gateway", str(tmp_path)], env=environment, check=True)
    assert written.returncode == 0
    names = {"envoy.yaml", "upstream-certificate.yaml", "upstream-authority.yaml"}
    assert {file.name for file in tmp_path.iterdir()} == names
    assert '"/tls/tls.key"' in (tmp_path / "upstream-certificate.yaml").read_text()


def test_where_envoy_runs_it_finds_the_other_files_beside_its_configuration(tmp_path: Path) -> None:
    write_here(GIVEN | {"UPSTREAM_TLS_DIR": "/tls"}, tmp_path / "envoy.yaml")
    assert f'"{tmp_path}/upstream-authority.yaml"' in (tmp_path / "envoy.yaml").read_text()
    assert '"/tls/ca.crt"' in (tmp_path / "upstream-authority.yaml").read_text()
