"""What operators do from the command line: accounts with roles that nobody can register into."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from identity_house import IdentityHouse

from identity.bootstrap import DEFINITION
from identity.entrypoints.operator import create_account, create_importer

PASSWORD = b"operators-own"
WAIT_S = 60.0
SET = {"LYCEUM_PROFILE": "local", "KAFKA_BOOTSTRAP": "x"}


def _operate(house: IdentityHouse, words: list[str], password: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(password + b"\n")))
    make = create_account if "--role" in words else create_importer
    make(DEFINITION, house.wiring.settings, [*words, "--password-stdin"])


async def operate(
    house: IdentityHouse, words: list[str], monkeypatch: pytest.MonkeyPatch, password: bytes = PASSWORD
) -> None:
    await asyncio.to_thread(_operate, house, words, password, monkeypatch)


@pytest.mark.parametrize("role", ["importer", "auditor", "admin"])
async def test_an_operator_makes_an_account_of_any_role_and_it_is_recorded_once(
    house: IdentityHouse, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    for _ in range(2):
        await operate(house, ["--username", "ada", "--role", role], monkeypatch)
    assert (await house.log_in("ada", PASSWORD.decode())).role == role
    query = "SELECT meta->>'actor', data->>'role' FROM events WHERE type = 'member.role_granted'"
    assert await house.rows(query) == [("operator", role)]


async def test_an_operator_makes_an_importer(house: IdentityHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    await operate(house, ["--username", "loader"], monkeypatch)
    assert (await house.log_in("loader", PASSWORD.decode())).role == "importer"


async def test_the_role_never_goes_to_somebody_who_took_the_name(
    house: IdentityHouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await house.register("loader")
    with pytest.raises(SystemExit) as left:
        await operate(house, ["--username", "loader", "--role", "admin"], monkeypatch)
    assert left.value.code == 1
    assert PASSWORD.decode() not in capsys.readouterr().err
    assert (await house.log_in("loader")).role == "consumer"


@pytest.mark.parametrize(
    ("password", "complaint"), [(b"", "password: must have 8"), (b"\xff" * 9, "password: must be in UTF-8")]
)
async def test_a_password_that_cannot_be_is_refused_by_name(
    house: IdentityHouse,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    password: bytes,
    complaint: str,
) -> None:
    with pytest.raises(SystemExit) as left:
        await operate(house, ["--username", "loader"], monkeypatch, password)
    assert left.value.code == 1
    assert complaint in capsys.readouterr().err


def command(words: list[str], variables: dict[str, str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], **variables}
    line = [sys.executable, "-m", "identity", *words]
    return subprocess.run(line, env=environment, input=given, capture_output=True, timeout=WAIT_S, check=False)


@pytest.mark.parametrize("words", [["create-importer"], ["create-account"], ["serve"]])
def test_given_no_settings_then_a_sentence_names_them(words: list[str]) -> None:
    done = command(words, {})
    assert done.returncode == 2
    assert done.stderr == b"identity: these variables are not set: DATABASE_URL, KAFKA_BOOTSTRAP, KEY_DIR\n"


def test_given_a_wrong_setting_then_a_sentence_names_it_and_not_its_value(tmp_path: Path) -> None:
    variables = {**SET, "DATABASE_URL": "x", "KEY_DIR": str(tmp_path), "GRPC_PORT": "hidden"}
    done = command(["create-importer"], variables)
    assert (done.returncode, b"GRPC_PORT: Input should be a valid integer" in done.stderr) == (2, True)
    assert b"hidden" not in done.stderr


def test_given_no_database_then_a_sentence_says_so_and_no_password(tmp_path: Path) -> None:
    variables = {**SET, "DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/x", "KEY_DIR": str(tmp_path)}
    words = ["create-account", "--username", "ada", "--role", "admin", "--password-stdin"]
    done = command(words, variables, PASSWORD + b"\n")
    assert (done.returncode, b"identity: the database: " in done.stderr) == (1, True)
    assert b"Traceback" not in done.stderr and b"hidden" not in done.stderr


def test_given_no_terminal_to_ask_on_then_the_option_is_named(tmp_path: Path) -> None:
    variables = {**SET, "DATABASE_URL": "x", "KEY_DIR": str(tmp_path)}
    done = command(["create-account", "--username", "ada", "--role", "admin"], variables)
    assert (done.returncode, b"say --password-stdin" in done.stderr) == (1, True)
