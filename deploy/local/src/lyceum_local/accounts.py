"""Accounts of the local stack, made by identity's own command with the stack's settings and keys."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from lyceum_local.errors import NoPasswordFile, NoReader
from lyceum_local.stack import LocalStack
from lyceum_local.waiting import tail

READER = "dashboard"
"""The account of `make dashboard`."""
MAKE_TIMEOUT_S = 60.0


def make_account(stack: LocalStack, username: str, role: str, password_file: Path | None) -> int:
    """Make an account, or give the role to the one that has this name and password; returns the command's status.

    The password comes from the file's first line, else from standard input: asked for where that is a terminal. It is
    never an argument, which every user of the machine could read. Raises NoPasswordFile, NotRunning, NotPrepared.
    """
    stack.states()  # refuses where nothing runs
    command = [sys.executable, "-m", "identity", "create-account", "--username", username, "--role", role]
    if password_file or not sys.stdin.isatty():
        command.append("--password-stdin")
    with nullcontext() if password_file is None else _opened(password_file) as given:
        variables = os.environ | stack.known_environment("identity")
        return subprocess.run(command, env=variables, stdin=given, check=False).returncode


def make_reader(stack: LocalStack) -> tuple[str, str]:
    """The name and password of an account that may read all figures and change nothing; made at the first call.

    The password is one of the stack's own, and so is no secret from whoever runs it. Raises NotRunning, NotPrepared and
    NoReader.
    """
    stack.states()  # refuses where nothing runs
    password = stack.secrets.password(READER)
    command = [sys.executable, "-m", "identity", "create-account", "--username", READER, "--role", "auditor"]
    variables = os.environ | stack.known_environment("identity")
    ran = subprocess.run(
        [*command, "--password-stdin"],
        input=password + "\n",
        env=variables,
        capture_output=True,
        text=True,
        timeout=MAKE_TIMEOUT_S,
        check=False,
    )
    if ran.returncode:
        raise NoReader(READER, tail(ran.stderr, 1))
    return READER, password


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as failed:
        raise NoPasswordFile(file, failed.strerror or "cannot be read") from failed
