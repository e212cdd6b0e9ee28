"""The command as it is typed: its exit status, and where it reads the password."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from fake_gateway import FakeGateway, over

from lyceum_cli import __main__ as command
from lyceum_cli.gateway import Gateway

MEMBERS = "external_id,username,registered_at\n1,ann,2024-01-01T00:00:00Z\n"


@pytest.fixture
def arguments(fake: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    def gateway(url: str) -> Gateway:
        return over(fake)

    monkeypatch.setattr(command, "Gateway", gateway)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"secret\n")))
    monkeypatch.chdir(tmp_path)
    Path("members.csv").write_text(MEMBERS)
    return ["import", "csv", "--gateway", "http://g", "--username", "u", "--dataset", "d 1", "--members", "members.csv"]


def test_given_good_rows_then_the_status_is_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*arguments, "--password-stdin", "--json"]) == 0
    assert '"created": 1' in capsys.readouterr().out
    assert Path("d-1.import-state.json").exists()


def test_given_a_rejected_row_then_the_status_is_2(arguments: list[str], fake: FakeGateway) -> None:
    fake.refused = {"1": ("username", "is taken")}
    assert command.main([*arguments, "--password-stdin"]) == 2


def test_given_a_bad_file_then_the_status_is_1(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("members.csv").write_text("")
    assert command.main([*arguments, "--password-stdin"]) == 1
    assert "members.csv: is empty" in capsys.readouterr().err


def test_given_misuse_then_the_status_is_1_too(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 1
    assert "--password-stdin" in capsys.readouterr().err
    assert command.main([*arguments[:-2], "--password-stdin"]) == 1
    assert "at least one file" in capsys.readouterr().err
