"""The command in a process of its own: what the operating system may do to it, and what it says then."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fake_gateway import FakeGateway
from served import Served, served

LINE = "{0},member{0},2024-01-01T00:00:00Z\n"
WAIT_S = 60.0


@pytest.fixture
def gateway(fake: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.chdir(tmp_path)
    Path("members.csv").write_text("external_id,username,registered_at\n" + "".join(map(LINE.format, range(10))))
    with served(fake) as one:
        yield one


def command(url: str, *more: str, dataset: str = "d") -> list[str]:
    options = ["--gateway", url, "--username", "u", "--password-stdin", "--dataset", dataset, "--batch", "3"]
    return [sys.executable, "-m", "lyceum_cli", "import", "csv", *options, "--members", "members.csv", *more]


def run(
    words: list[str], password: bytes = b"secret\n", variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **(variables or {})}
    return subprocess.run(words, input=password, capture_output=True, timeout=WAIT_S, check=False, env=environment)


def started(words: list[str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"secret\n")
    process.stdin.flush()
    return process


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, complaint = process.communicate(timeout=WAIT_S)
    return process.returncode, complaint.decode()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_given_a_signal_then_it_says_how_to_go_on_and_the_same_command_does(
    gateway: Served, number: signal.Signals, status: int
) -> None:
    gateway.go_on.clear()
    process = started(command(gateway.url))
    assert gateway.asked.wait(WAIT_S)
    process.send_signal(number)
    code, complaint = ended(process)
    assert (code, "the same command goes on" in complaint, "Traceback" in complaint) == (status, True, False)
    gateway.go_on.set()
    assert run(command(gateway.url)).returncode == 0
    assert not list(Path().glob("*.lock"))


def test_given_two_imports_at_once_then_the_second_says_who_is_at_it(gateway: Served) -> None:
    gateway.go_on.clear()
    first = started(command(gateway.url))
    assert gateway.asked.wait(WAIT_S)
    second = run(command(gateway.url))
    assert second.returncode == 3
    assert f"d.import-state.json is in use by another import (process {first.pid} on" in second.stderr.decode()
    other_state = run(command(gateway.url, "--state", "other.json"))
    assert (other_state.returncode, b"d.rejects is in use" in other_state.stderr) == (3, True)
    gateway.go_on.set()
    assert ended(first)[0] == 0


def test_given_a_killed_import_then_its_lock_keeps_nobody_away(gateway: Served) -> None:
    gateway.go_on.clear()
    first = started(command(gateway.url))
    assert gateway.asked.wait(WAIT_S)
    first.kill()
    ended(first)
    gateway.go_on.set()
    assert run(command(gateway.url)).returncode == 0


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("ftp://example.org", "address ftp://example.org: must begin with http:// or https://"),
        ("127.0.0.1:8080", "address 127.0.0.1:8080: must begin with http:// or https://"),
        ("http://", "address http://: names no host"),
        ("http://127.0.0.1:99999", "address http://127.0.0.1:99999: its port must be from 1 to 65535"),
        ("http://127.0.0.1:x", "address http://127.0.0.1:x: is no address like http://127.0.0.1:8080"),
        ("http://[::1", "address http://[::1: is no address like"),
        ("http://nowhere.invalid", "no gateway answers at http://nowhere.invalid: "),
        ("http://127.0.0.1:1", "no gateway answers at http://127.0.0.1:1: Connection refused"),
        ("http://127.0.0.1:8080/?a=b", "address http://127.0.0.1:8080/?a=b: must end with its path"),
        ("http://me:hidden@127.0.0.1", "the gateway's address: must not hold a name or password"),
    ],
)
def test_given_an_address_that_is_none_then_that_is_said_at_once(gateway: Served, url: str, complaint: str) -> None:
    done = run(command(url))
    assert done.returncode == 1
    said = done.stderr.decode()
    assert complaint in said and "Traceback" not in said and "hidden" not in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("password", "complaint"), [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\n", "is not in UTF-8")]
)
def test_given_no_password_then_that_is_said_and_nothing_sent(
    gateway: Served, fake: FakeGateway, password: bytes, complaint: str
) -> None:
    done = run(command(gateway.url), password)
    assert done.returncode == 1
    assert f"lyceum: the password {complaint}" in done.stderr.decode()
    assert not fake.batches


def test_given_a_reader_that_leaves_then_the_import_ends_well(gateway: Served, fake: FakeGateway) -> None:
    shell = " ".join(f"'{word}'" for word in command(gateway.url))
    words = ["bash", "-c", f"set -o pipefail; {shell} 2>err | true; echo ${{PIPESTATUS[0]}}"]
    assert run(words).stdout == b"0\n"
    assert "Traceback" not in Path("err").read_text() and "BrokenPipe" not in Path("err").read_text()
    assert len(fake.batches) == 4


def test_given_a_reader_of_progress_that_leaves_then_the_import_ends_well(gateway: Served) -> None:
    shell = " ".join(f"'{word}'" for word in command(gateway.url))
    assert run(["bash", "-c", f"{shell} 2>&1 >out | true; echo ${{PIPESTATUS[0]}}"]).stdout == b"0\n"
    assert "import of d" in Path("out").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", ["", "--json", "--version"])
def test_given_no_room_to_write_then_that_is_said(gateway: Served, words: str) -> None:
    only = [sys.executable, "-m", "lyceum_cli", words] if words == "--version" else command(gateway.url, *words.split())
    shell = " ".join(f"'{word}'" for word in only)
    done = run(["bash", "-c", f"{shell} >/dev/full"])
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert "Traceback" not in said and "Exception ignored" not in said
    assert "No space left" in said


def test_given_no_room_for_the_state_file_then_that_is_said_and_the_same_command_goes_on(gateway: Served) -> None:
    shell = " ".join(f"'{word}'" for word in command(gateway.url))
    done = run(["bash", "-c", f"ulimit -f 0; {shell}"])
    said = done.stderr.decode()
    assert (done.returncode, "Traceback" in said) == (1, False), said
    assert "cannot be written: File too large; once that is mended, the same command goes on" in said
    assert run(command(gateway.url)).returncode == 0


ODD_LOCALES = [
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"PYTHONIOENCODING": "latin-1"},
]


@pytest.mark.parametrize("variables", ODD_LOCALES)
def test_given_an_odd_locale_then_chinese_names_are_no_trouble(gateway: Served, variables: dict[str, str]) -> None:
    Path("members.csv").write_text(
        "external_id,username,registered_at\n1,用户一,2024-01-01T00:00:00Z\n2,二,x\n", "utf-8"
    )
    done = run(command(gateway.url, dataset="茶道"), variables=variables)
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False), done.stderr.decode()
    assert gateway.fake.batches[0][1][0]["username"] == "用户一"
    assert gateway.fake.datasets == {"茶道"}
    assert Path("茶道.import-state.json").exists()


def drawn(words: list[str], columns: int) -> list[str]:
    """What a terminal of so many columns shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": str(columns)}
    ) as process:
        os.close(theirs)
        process.communicate(b"secret\n", timeout=WAIT_S)
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while block := terminal.read(4096):
                shown += block
        except OSError:
            pass  # the other end is closed
    return shown.decode().splitlines()


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_given_a_terminal_of_any_width_then_no_line_is_longer_and_every_figure_is_there(
    gateway: Served, columns: int
) -> None:
    lines = [plain(line) for line in drawn(command(gateway.url), columns)]
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert "10/10" in text and "…" not in text
    assert all(word in text for word in ("members", "created", "duplicate", "rejected", "orders"))


def test_given_a_dry_run_then_everything_is_checked_and_nothing_sent(gateway: Served, fake: FakeGateway) -> None:
    with Path("members.csv").open("a") as file:
        file.write("10,member10,never\n" + LINE.format(1))
    words = [sys.executable, "-m", "lyceum_cli", "import", "csv", "--dataset", "d", "--members", "members.csv"]
    done = run([*words, "--dry-run", "--json"])
    assert done.returncode == 2
    report = json.loads(done.stdout)
    assert report["kinds"] == {"members": {"created": 10, "duplicate": 1, "rejected": 1}}
    assert report["dry_run"] is True and report["rejects"] == ["d.rejects.dry-run/1-members.rejects.csv"]
    assert not fake.batches and not Path("d.import-state.json").exists()
    assert b"nothing was sent" in run([*words, "--dry-run"]).stdout


def test_the_version_is_told() -> None:
    assert run([sys.executable, "-m", "lyceum_cli", "--version"]).stdout == b"lyceum, version 0.1.0\n"


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--delimiter", "ab", "must be one character"),
        ("--delimiter", '"', "must be one character"),
        ("--encoding", "klingon", "is no encoding"),
        ("--encoding", "base64", "is no encoding"),
    ],
)
def test_given_an_option_that_cannot_be_then_it_is_named(
    gateway: Served, option: str, value: str, complaint: str
) -> None:
    done = run(command(gateway.url, option, value))
    assert done.returncode == 1
    assert option in done.stderr.decode() and complaint in done.stderr.decode()
