"""One real PostgreSQL and one real Kafka for a whole test run, started by the first test that needs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from eventfold.publish.brokers import Brokers
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack

# No test is timed: what takes long on a busy machine is not wrong. A hang is what pytest's own timeout is for.
settings.register_profile("untimed", deadline=None)
# Where a change is judged (CI is set) the examples are the same each time: a failure is the change's own.
# Others are tried by `make test` at a desk and, above all, by `make test-nightly`.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "untimed"))


SERVERS = {"local_stack", "stack"}
"""The fixtures that start a PostgreSQL or Kafka."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a PostgreSQL or Kafka, so that the rest can be run without."""
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """An instance of its own, with free ports, in a folder that goes away; nothing of it is started yet."""
    folder: Path = tmp_path_factory.mktemp("stack")
    stack = LocalStack(folder, Ports.free(), prefix="test.")
    try:
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="session")
def backing(local_stack: LocalStack, postgres_url: str, brokers: Brokers) -> LocalStack:
    """The instance with PostgreSQL and Kafka running."""
    return local_stack


@pytest.fixture(scope="session")
def postgres_url(local_stack: LocalStack) -> str:
    """A DSN of the administrator."""
    local_stack.start_postgres()
    return local_stack.admin_url


@pytest.fixture(scope="session")
def brokers(local_stack: LocalStack) -> Brokers:
    """The broker, in plain text."""
    local_stack.start_kafka()
    return local_stack.brokers
