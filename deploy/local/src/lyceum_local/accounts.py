"""Accounts of the local stack, made by identity's own command with the stack's settings and keys."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from lyceum_local.errors import NoPasswordFile
from lyceum_local.stack import LocalStack


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


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as failed:
        raise NoPasswordFile(file, failed.strerror or "cannot be read") from failed
