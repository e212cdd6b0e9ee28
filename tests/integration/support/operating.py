"""What an operator does with an instance, from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from community import PASSWORD

from lyceum_local.stack import LocalStack

DOCTOR_S, MAKE_S = 120.0, 60.0


def doctor(stack: LocalStack, service: str) -> tuple[int, list[dict[str, str]]]:
    """Exit status and findings of `eventfold doctor`."""
    command = [sys.executable, "-m", "eventfold_ops", "--app", f"{service}.bootstrap:deployment", "--json", "doctor"]
    variables = {**os.environ, **stack.environment(service)}
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=DOCTOR_S, check=False)
    return ran.returncode, json.loads(ran.stdout)["findings"]


def make_account(stack: LocalStack, username: str, role: str) -> None:
    """An account with a role that nobody can register with, and the usual password."""
    command = [sys.executable, "-m", "identity", "create-account", "--username", username, "--role", role]
    command.append("--password-stdin")
    variables = {**os.environ, **stack.environment("identity")}
    subprocess.run(command, input=PASSWORD + "\n", text=True, env=variables, check=True, timeout=MAKE_S)
