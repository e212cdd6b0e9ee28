"""One embedded PostgreSQL and Kafka for all tests of the local stack."""

from collections.abc import Iterator

import pytest

from lyceum_local.settings import Ports, StackSettings
from lyceum_local.stack import LocalStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = StackSettings(docker=False, postgres_url=None, kafka_bootstrap=None)
    made = LocalStack(tmp_path_factory.mktemp("stack"), Ports.free(), prefix="t1.", settings=settings)
    made.start_backing()
    yield made
    made.down()
