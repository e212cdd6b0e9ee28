"""What a person meets first when something is missing: one sentence, and the fix."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lyceum_local import java, kafka, postgres
from lyceum_local.__main__ import main
from lyceum_local.errors import (
    Busy,
    HalfInitialised,
    JavaMissing,
    MavenMissing,
    PortTaken,
    RootWithoutNamespaces,
    SecretsMissing,
    UnknownProcess,
)
from lyceum_local.ports import free_block, require_free
from lyceum_local.report import log_files
from lyceum_local.secrets_file import Secrets
from lyceum_local.stack import LocalStack

SETUP = Path(__file__).parents[1] / "scripts" / "setup.sh"
CHOICE = SETUP.with_name("python.sh")


def executable(file: Path, script: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def fake_java(home: Path, version: str) -> Path:
    return executable(home / "bin" / "java", f"echo 'openjdk version \"{version}\"' >&2")


def test_given_a_free_port_when_it_is_required_then_nothing_is_said() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    require_free("kafka", port, "LYCEUM_PORT_KAFKA")


def test_given_a_taken_port_when_it_is_required_then_holder_and_setting_are_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"kafka needs port {port}.*pid \d+.*LYCEUM_PORT_KAFKA={port + 1000}"):
            require_free("kafka", port, "LYCEUM_PORT_KAFKA")


def test_given_blocks_that_nobody_bound_yet_when_others_ask_then_no_port_is_given_twice() -> None:
    asked = "from lyceum_local.ports import free_block\nprint(*(free_block(1) for _ in range(60)), flush=True)\ninput()"
    own = [free_block(1) for _ in range(60)]
    with subprocess.Popen(
        [sys.executable, "-c", asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout and other.stdin
        given = [int(port) for port in other.stdout.readline().split()]
        other.stdin.write("\n")
    assert len({*own, *given}) == 120


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_401"', 8),
        ('openjdk version "25"', 25),
        ("", None),
    ],
)
def test_given_what_java_says_when_it_is_read_then_the_major_version_comes_out(text: str, major: int | None) -> None:
    assert java.parse_major(text) == major


def test_given_java_home_and_path_when_java_is_chosen_then_java_home_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = fake_java(tmp_path / "home", "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(fake_java(tmp_path / "path", "17.0.1").parent) + ":/bin:/usr/bin")
    assert java.find_java() == chosen


def test_given_an_old_java_home_when_java_is_chosen_then_the_newer_one_on_the_path_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path / "home", "11.0.2")
    newer = fake_java(tmp_path / "path", "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{newer.parent}:/bin:/usr/bin")
    assert java.find_java() == newer


def test_given_only_an_old_java_when_java_is_chosen_then_it_is_refused_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path / "home", "11.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(java, "find_spec", lambda name: None)
    with pytest.raises(JavaMissing, match=r"JDK 17 or newer and .* is version 11; install one .*requirements/jdk\.txt"):
        java.find_java()


def test_given_no_jars_and_no_maven_when_kafka_is_wanted_then_maven_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MavenMissing, match=r"'mvn' was not found.*LYCEUM_KAFKA_BOOTSTRAP"):
        kafka.ensure_jars(tmp_path)


def test_given_a_foreign_folder_when_postgres_is_initialised_then_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(HalfInitialised, match=r"PG_VERSION is missing.*rm -r"):
        postgres.initialise(folder, Secrets(tmp_path / "passwords.json"))
    assert (folder / "notes.txt").read_text() == "mine"


def test_given_a_foreign_folder_when_kafka_is_initialised_then_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    with pytest.raises(HalfInitialised, match=r"meta\.properties is missing"):
        kafka.initialise(tmp_path / "kafka", tmp_path, 1, 2)


def test_given_a_cluster_without_its_passwords_when_it_is_initialised_then_it_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    for needed in ("PG_VERSION", "global/pg_control", "postgresql.conf"):
        (folder / needed).parent.mkdir(parents=True, exist_ok=True)
        (folder / needed).touch()
    with pytest.raises(SecretsMissing, match=r"passwords\.json is missing"):
        postgres.initialise(folder, Secrets(tmp_path / "passwords.json"))


def test_given_root_without_namespaces_when_postgres_is_wanted_then_a_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RootWithoutNamespaces, match="LYCEUM_POSTGRES_URL"):
        postgres.shedding_root.__wrapped__()


def test_given_another_command_at_work_when_the_stack_is_taken_then_it_is_busy(tmp_path: Path) -> None:
    holder, other = LocalStack(tmp_path).exclusively(), LocalStack(tmp_path).exclusively(wait_s=0.1)
    with holder, pytest.raises(Busy, match="wait for it, or end it"), other:
        pass


def test_given_nothing_running_when_status_is_asked_then_one_sentence_and_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--data-dir", str(tmp_path)]) == 1
    assert "start it with make up" in capsys.readouterr().err


def test_given_logs_when_an_unknown_service_is_asked_for_then_the_known_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "billing-work.log").touch()
    assert log_files(tmp_path, "billing") == [tmp_path / "billing-work.log"]
    with pytest.raises(UnknownProcess, match="billing-work"):
        log_files(tmp_path, "bill")


def test_given_another_python_when_the_tree_is_set_up_then_it_is_refused_with_a_sentence(tmp_path: Path) -> None:
    python = executable(tmp_path / "python", "echo 3.12")
    answer = subprocess.run(
        [SETUP], env={"PYTHON": str(python), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert answer.returncode == 1
    assert "Python 3.11 is needed" in answer.stderr
    assert "is 3.12" in answer.stderr


def chosen_python(path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/bash", CHOICE], env={"PATH": path}, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(
    ("builds", "chosen"),
    [
        (["plain", "optimised", "optimised"], 1),
        (["plain", "plain"], 0),
        (["refuses", "plain"], 1),
        (["refuses"], None),
    ],
)
def test_given_several_pythons_when_one_is_chosen_then_the_first_optimised_or_else_the_first_that_will_do(
    tmp_path: Path, builds: list[str], chosen: int | None
) -> None:
    said = {"refuses": "exit 1"}
    pythons = [
        executable(tmp_path / str(n) / "python3.11", said.get(build, f"echo {build}")) for n, build in enumerate(builds)
    ]
    answer = chosen_python(":".join(str(python.parent) for python in pythons))
    assert answer.stdout.strip() == ("" if chosen is None else str(pythons[chosen]))
    assert ("--enable-optimizations" in answer.stderr) == (chosen is not None and builds[chosen] == "plain")


def test_given_this_python_when_it_is_asked_how_it_was_built_then_it_will_do(tmp_path: Path) -> None:
    (tmp_path / "python3.11").symlink_to(Path(sys.executable).resolve())
    assert chosen_python(str(tmp_path)).stdout.strip() == str(tmp_path / "python3.11")


def test_given_no_stack_when_it_is_to_be_operated_then_the_way_to_start_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ops", "--data-dir", str(tmp_path), "billing", "--json", "doctor"]) == 1
    assert "make up" in capsys.readouterr().err


def test_given_no_stack_when_an_account_is_wanted_then_the_fix_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["account", "--data-dir", str(tmp_path), "ada", "--role", "importer"]) == 1
    assert "start it with make up" in capsys.readouterr().err


def test_given_no_password_file_when_an_account_is_wanted_then_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalStack, "states", lambda stack: [])
    words = ["account", "--data-dir", str(tmp_path), "ada", "--role", "importer", "--password-file", "/nowhere"]
    assert main(words) == 1
    assert "the password cannot be read from /nowhere (No such file or directory)" in capsys.readouterr().err


def test_given_a_restarted_process_when_the_command_answers_then_it_says_which_settings_are_in_use(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    restarted: list[str] = []
    monkeypatch.setattr(LocalStack, "restart", lambda _, name: restarted.append(name))
    assert main(["restart", "metrics-work", "--data-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert restarted == ["metrics-work"] and "with the environment of the `up` that started the stack" in said
    assert "`make down`, then `make up`" in said
