"""identity in a PostgreSQL schema of its own for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from identity_house import House, admitting
from servicing import migrated

from identity.bootstrap import DEFINITION, parts
from identity.settings import IdentitySettings
from servicekit.database import make_pool
from servicekit.definition import wire


@pytest.fixture(scope="module")
def key_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
async def house(postgres_url: str, key_dir: Path) -> AsyncIterator[House]:
    async with migrated(postgres_url, DEFINITION) as url, make_pool(url, 8) as pool:
        settings = IdentitySettings(
            lyceum_profile="local", database_url=url, kafka_bootstrap="unused", key_dir=key_dir
        )  # fmt: skip
        wiring = wire(DEFINITION, settings, pool, lambda: None)
        yield House(wiring, admitting(wiring, parts(wiring)), url)
