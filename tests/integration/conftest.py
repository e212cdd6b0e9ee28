"""The whole stack, once for all integration tests: processes, or with LYCEUM_STACK=containers containers."""

from __future__ import annotations

from collections.abc import Iterator

import in_containers
import pytest
from community import IMPORTER, Community
from operating import make_account

from lyceum_local.stack import LocalStack


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that needs this machine's own processes is skipped in containers, and says what it needs."""
    needs = item.get_closest_marker("one_machine")
    if in_containers.ASKED_FOR and needs:
        pytest.skip(f"not in containers: it needs {needs.args[0]}")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[LocalStack]:
    """Every process of an instance, ready."""
    if in_containers.ASKED_FOR:
        with in_containers.started() as made:
            yield made
        return
    backing: LocalStack = request.getfixturevalue("backing")
    backing.up()
    yield backing


@pytest.fixture(scope="session")
def community(stack: LocalStack) -> Community:
    """The community behind the stack's gateway, with an importer's account."""
    make_account(stack, IMPORTER, "importer")
    return Community(stack.around.public_url, IMPORTER)
