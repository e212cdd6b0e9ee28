"""The whole stack, once for all integration tests."""

from __future__ import annotations

import pytest
from community import IMPORTER, Community
from operating import make_account

from lyceum_local.stack import LocalStack


@pytest.fixture(scope="session")
def stack(backing: LocalStack) -> LocalStack:
    """Every process of an instance, ready."""
    backing.up()
    return backing


@pytest.fixture(scope="session")
def community(stack: LocalStack) -> Community:
    """The community behind the stack's gateway, with an importer's account."""
    make_account(stack, IMPORTER, "importer")
    return Community(stack.around.public_url, IMPORTER)
