"""`lyceum account`: what is sent and said, and what is left untouched where it is refused."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fake_gateway import LOG_IN, FakeGateway, over
from served import Served, served

from lyceum_cli.accounts import Account, create_account, grant_role
from lyceum_cli.errors import BadAnswer, NameTaken, Refused, RoleNotGranted
from lyceum_cli.gateway import Gateway

WAIT_S = 60.0
BOTH = b"of-admin\npassword123\n"


@pytest.fixture
def fake() -> FakeGateway:
    one = FakeGateway()
    one.role = "admin"
    return one


@pytest.fixture
def at(fake: FakeGateway) -> Iterator[Served]:
    with served(fake) as one:
        yield one


@pytest.fixture
async def admin(fake: FakeGateway) -> Gateway:
    logged_in = over(fake)
    await logged_in.log_in("chief", "of-admin")
    return logged_in


def words(kind: str, subject: str, url: str, *more: str, role: str = "importer") -> list[str]:
    options = ["--role", role, "--gateway", url, "--username", "chief", "--password-stdin", *more]
    return [sys.executable, "-m", "lyceum_cli", "account", kind, subject, *options]


def run(command: list[str], given: bytes = BOTH) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=given, capture_output=True, timeout=WAIT_S, check=False)


def complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """The only line that a refused command says."""
    assert (done.returncode, done.stdout) == (1, b"")
    [line] = done.stderr.decode().splitlines()
    return line


def test_given_a_free_name_when_an_account_is_made_then_it_is_registered_and_has_the_role(
    at: Served, fake: FakeGateway
) -> None:
    done = run(words("create", "ada", at.url))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"ada has the role importer; its member id is id-ada\n"
    assert (fake.passwords, fake.roles) == ({"ada": "password123"}, {"id-ada": "importer"})


def test_given_json_then_the_same_is_told_to_programs(at: Served) -> None:
    made = run(words("create", "ada", at.url, "--json"))
    assert json.loads(made.stdout) == {"username": "ada", "member_id": "id-ada", "role": "importer"}
    granted = run(words("grant", "id-ada", at.url, "--json", role="auditor"), b"of-admin\n")
    assert json.loads(granted.stdout) == {"member_id": "id-ada", "role": "auditor"}


def test_given_an_account_when_a_role_is_granted_then_it_says_from_when(at: Served, fake: FakeGateway) -> None:
    run(words("create", "ada", at.url))
    for _ in range(2):
        done = run(words("grant", "id-ada", at.url, role="admin"), b"of-admin\n")
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == b"id-ada has the role admin from its next log-in or refreshed session on\n"
    assert fake.roles == {"id-ada": "admin"}


def test_given_a_taken_name_then_its_account_gets_no_role_and_the_next_step_is_named(
    at: Served, fake: FakeGateway
) -> None:
    fake.passwords["ada"], fake.roles["id-ada"] = "of-somebody", "consumer"
    said = complaint(run(words("create", "ada", at.url)))
    assert "the name ada is taken, perhaps by somebody else" in said
    assert "`lyceum account grant MEMBER_ID --role importer`" in said
    assert (fake.passwords, fake.roles) == ({"ada": "of-somebody"}, {"id-ada": "consumer"})


@pytest.mark.parametrize("kind", ["create", "grant"])
@pytest.mark.parametrize("role", ["consumer", "creator", "importer", "auditor"])
def test_given_who_is_no_admin_then_nothing_is_sent_but_the_log_in(
    at: Served, fake: FakeGateway, kind: str, role: str
) -> None:
    fake.role = role
    said = complaint(run(words(kind, "ada", at.url)))
    assert said == f"lyceum: chief has the role {role}, and only an admin may do this"
    assert not fake.keys


@pytest.mark.parametrize("kind", ["create", "grant"])
def test_given_a_wrong_password_then_that_is_said_and_nothing_done(at: Served, fake: FakeGateway, kind: str) -> None:
    said = complaint(run(words(kind, "ada", at.url), b"wrong\npassword123\n"))
    assert "wrong username or password" in said and not fake.keys


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (b"", "the admin's password is empty"),
        (b"\npassword123\n", "the admin's password is empty"),
        (b"of-admin\n", "the new account's password is empty"),
        (b"of-admin\n\n", "the new account's password is empty"),
        (b"of-admin\n\xff\n", "the new account's password is not in UTF-8"),
    ],
)
def test_given_a_missing_password_then_it_is_named_and_nothing_sent(
    at: Served, fake: FakeGateway, given: bytes, what: str
) -> None:
    assert complaint(run(words("create", "ada", at.url), given)).startswith(f"lyceum: {what}")
    assert not fake.keys


def test_given_a_password_that_is_refused_then_the_field_is_named_and_no_account_made(
    at: Served, fake: FakeGateway
) -> None:
    said = complaint(run(words("create", "ada", at.url), b"of-admin\nshort\n"))
    assert "password: must have 8 to 128 characters" in said and "short" not in said
    assert not fake.roles


def test_given_nobody_of_that_id_then_that_is_said(at: Served, fake: FakeGateway) -> None:
    for odd in ("id-nobody", "../sessions", "a b", "用户"):
        assert "there is no such member" in complaint(run(words("grant", odd, at.url)))
    assert not fake.roles


def test_given_a_grant_that_fails_then_the_account_and_the_next_step_are_named(at: Served, fake: FakeGateway) -> None:
    fake.grants_fail = True
    said = complaint(run(words("create", "ada", at.url)))
    assert "ada is registered, but as a consumer: " in said
    assert said.endswith("`lyceum account grant id-ada --role importer` gives it the role")
    assert fake.roles == {"id-ada": "consumer"}


@pytest.mark.parametrize("kind", ["create", "grant"])
@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ftp://example.org", "must begin with http:// or https://"),
        ("http://", "names no host"),
        ("http://127.0.0.1:x", "is no address like"),
        ("http://127.0.0.1:1", "no gateway answers at http://127.0.0.1:1: Connection refused"),
        ("http://nowhere.invalid", "no gateway answers at http://nowhere.invalid: "),
        ("http://me:hidden@127.0.0.1", "must not hold a name or password"),
    ],
)
def test_given_an_address_that_is_none_then_that_is_said_in_one_line(kind: str, url: str, what: str) -> None:
    said = complaint(run(words(kind, "ada", url)))
    assert what in said and "hidden" not in said


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["create", "ada", "--role", "importer", "--gateway", "http://g", "--username", "u"], "--password-stdin"),
        (["create", "ada", "--role", "importer", "--gateway", "http://g", "--password-stdin"], "--username"),
        (["create", "ada", "--role", "importer", "--username", "u", "--password-stdin"], "--gateway"),
        (["create", "ada", "--gateway", "http://g", "--username", "u", "--password-stdin"], "--role"),
        (["grant", "--role", "importer", "--gateway", "http://g", "--username", "u", "--password-stdin"], "MEMBER_ID"),
        (["create", "ada", "--role", "king", "--gateway", "http://g", "--username", "u", "--password-stdin"], "'king'"),
    ],
)
def test_given_misuse_then_what_is_missing_is_named(command: list[str], what: str) -> None:
    done = run([sys.executable, "-m", "lyceum_cli", "account", *command])
    assert done.returncode == 1 and what in done.stderr.decode() and b"Traceback" not in done.stderr


@pytest.mark.parametrize("more", ["", "--json"])
def test_given_a_reader_that_leaves_then_the_account_is_made_all_the_same(
    at: Served, fake: FakeGateway, more: str
) -> None:
    shell = " ".join(f"'{word}'" for word in words("create", "ada", at.url, *more.split()))
    done = run(["bash", "-c", f"{shell} | true; echo ${{PIPESTATUS[0]}}"])
    assert (done.stdout, done.stderr) == (b"0\n", b"")
    assert fake.roles == {"id-ada": "importer"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_given_no_room_to_write_then_that_is_said(at: Served) -> None:
    shell = " ".join(f"'{word}'" for word in words("create", "ada", at.url))
    done = run(["bash", "-c", f"{shell} >/dev/full"])
    assert done.returncode == 1 and b"No space left" in done.stderr and b"Traceback" not in done.stderr


def test_given_a_signal_then_it_promises_nothing(at: Served) -> None:
    at.go_on.clear()
    with subprocess.Popen(words("create", "ada", at.url), stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(BOTH)
        process.stdin.flush()
        assert at.asked.wait(WAIT_S)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    assert said.decode().strip() == "lyceum: interrupted; it may have been done or not"


def test_given_a_terminal_when_the_new_password_is_mistyped_then_nothing_is_made(at: Served, fake: FakeGateway) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        words("create", "ada", at.url), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = ""
        with os.fdopen(ours, "r+b", buffering=0) as terminal:
            for prompt, typed in (("admin's password: ", b"of-admin"), ("account's password: ", b"password123")):
                shown = _until(terminal.read, prompt)
                terminal.write(typed + b"\n")
            _until(terminal.read, "again: ")
            terminal.write(b"passwort123\n")
            shown = _until(terminal.read, "second time")
        process.wait(WAIT_S)
    assert process.returncode == 1 and "was not the same" in shown and not fake.keys


def _until(read: object, prompt: str) -> str:
    assert callable(read)
    shown = b""
    while prompt.encode() not in shown:
        shown += read(1024)
    return shown.decode()


@pytest.mark.parametrize("missing", ["access_token", "refresh_token", "expires_in_s", "member_id", "role"])
async def test_given_something_that_is_no_gateway_then_that_is_said(missing: str) -> None:
    answer = {name: value for name, value in LOG_IN.items() if name != missing}
    with pytest.raises(BadAnswer, match=missing):
        await over(lambda _: httpx.Response(200, json=answer)).log_in("chief", "x")


async def test_given_an_answer_that_is_lost_then_the_repetition_has_the_same_key(fake: FakeGateway) -> None:
    lost = {"/register", "/v1/members/id-ada:grantRole"}

    def flaky(request: httpx.Request) -> httpx.Response:
        found = fake(request)
        if request.url.path in lost:
            lost.remove(request.url.path)
            fake.passwords.clear()  # the key would bring the first answer; the fake knows no keys
            raise httpx.ReadError("lost")
        return found

    gateway = over(flaky)
    await gateway.log_in("chief", "of-admin")
    assert await create_account(gateway, "ada", "password123", "importer") == Account("id-ada", "importer")
    first, again, granted, granted_again = fake.keys
    assert first == again != granted == granted_again


async def test_given_refusals_then_each_is_its_own_error(admin: Gateway, fake: FakeGateway) -> None:
    await create_account(admin, "ada", "password123", "importer")
    with pytest.raises(NameTaken):
        await create_account(admin, "ada", "password123", "importer")
    with pytest.raises(Refused) as refused:
        await create_account(admin, "bob", "short", "importer")
    assert refused.value.field == "password"
    fake.grants_fail = True
    with pytest.raises(RoleNotGranted) as half:
        await create_account(admin, "eve", "password123", "importer")
    assert half.value.member_id == "id-eve"
    with pytest.raises(Refused):
        await grant_role(admin, Account("id-ada", "admin"))
