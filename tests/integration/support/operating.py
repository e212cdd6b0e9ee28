"""What an operator does with an instance, from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from community import PASSWORD
from in_containers import StackInContainers

from lyceum_local.program import log_file
from lyceum_local.stack import LocalStack

DOCTOR_S, MAKE_S = 120.0, 60.0


def command(stack: LocalStack, service: str, *words: str) -> tuple[Sequence[str], Mapping[str, str]]:
    """The command line of `python WORDS` with the settings of a service, and its environment."""
    if isinstance(stack, StackInContainers):
        return stack.inside(service, words), stack.variables
    return [sys.executable, *words], {**os.environ, **stack.environment(service)}


def doctor(stack: LocalStack, service: str) -> tuple[int, list[dict[str, str]]]:
    """Exit status and findings of `eventfold doctor`."""
    words = ["-m", "eventfold_ops", "--app", f"{service}.bootstrap:deployment", "--json", "doctor"]
    line, variables = command(stack, service, *words)
    ran = subprocess.run(line, env=variables, capture_output=True, text=True, timeout=DOCTOR_S, check=False)
    return ran.returncode, json.loads(ran.stdout)["findings"]


def make_account(stack: LocalStack, username: str, role: str) -> None:
    """An account with a role that nobody can register with, and the usual password."""
    words = ["-m", "identity", "create-account", "--username", username, "--role", role, "--password-stdin"]
    line, variables = command(stack, "identity", *words)
    subprocess.run(line, input=PASSWORD + "\n", text=True, env=variables, check=True, timeout=MAKE_S)


def log_of(stack: LocalStack, process: str) -> str:
    """What one process, `identity-serve` say, has written."""
    if isinstance(stack, StackInContainers):
        return stack.logs(process).decode(errors="replace")
    return log_file(stack.supervisor.logs, process).read_text(encoding="utf-8")


def every_log(stack: LocalStack) -> bytes:
    """What all processes have written."""
    if isinstance(stack, StackInContainers):
        return stack.logs()
    return b"".join(path.read_bytes() for path in Path(stack.data_dir, "logs").iterdir())
