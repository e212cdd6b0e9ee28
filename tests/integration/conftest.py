"""The whole stack, once for all integration tests."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from community import PASSWORD, Community

from lyceum_local.stack import LocalStack

IMPORTER = "importer"


@pytest.fixture(scope="session")
def stack(backing: LocalStack) -> LocalStack:
    """Every process of an instance, ready."""
    backing.up()
    return backing


@pytest.fixture(scope="session")
def community(stack: LocalStack) -> Community:
    """The community behind the stack's gateway, with an importer's account."""
    command = [sys.executable, "-m", "identity", "create-importer", "--username", IMPORTER, "--password-stdin"]
    environment = {**os.environ, **stack.environment("identity")}
    subprocess.run(command, input=PASSWORD + "\n", text=True, env=environment, check=True, timeout=60)
    return Community(stack.around.public_url, IMPORTER)
