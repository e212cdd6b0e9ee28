"""What a member, or one request, caused in all services of the local stack."""

import json
import os
import subprocess
import sys
from typing import Any

from lyceum_local.errors import NobodyOfThatName
from lyceum_local.settings import SERVICES
from lyceum_local.stack import LocalStack
from lyceum_local.waiting import tail

LOOK_WITHIN_S = 120.0
COLUMNS = ("recorded_at", "service", "type", "stream", "correlation_id")


def events(stack: LocalStack, username: str, correlation: str) -> list[dict[str, Any]]:
    """The events of the last days of all services in the order of time: of the member with this username, or of one
    request. Raises NotRunning, NotPrepared, NobodyOfThatName."""
    stack.states()  # refuses where nothing runs
    what = ["--correlation", correlation] if correlation else ["--member", _member_id(stack, username)]
    found = [one for name in SERVICES for one in _of(stack, name, what)]
    return sorted(found, key=lambda one: str(one["recorded_at"]))


def lines(found: list[dict[str, Any]]) -> str:
    """One line for each event."""
    return "\n".join("  ".join(str(one[name]) for name in COLUMNS) for one in found) or "there are none"


def _member_id(stack: LocalStack, username: str) -> str:
    ran = _run(stack, "identity", ["-m", "identity", "find-member", username])
    if ran.returncode:
        raise NobodyOfThatName(username, tail(ran.stderr, 1))
    return ran.stdout.strip()


def _of(stack: LocalStack, service: str, what: list[str]) -> list[dict[str, Any]]:
    command = ["-m", "eventfold_ops", "--app", f"{service}.bootstrap:deployment", "--json", "events", *what]
    ran = _run(stack, service, command)
    ran.check_returncode()
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return found


def _run(stack: LocalStack, service: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    variables = os.environ | stack.known_environment(service)
    return subprocess.run(
        [sys.executable, *command], env=variables, capture_output=True, text=True, timeout=LOOK_WITHIN_S, check=False
    )
