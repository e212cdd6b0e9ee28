"""identity in a PostgreSQL schema of its own for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from identity_house import IdentityHouse

from identity.bootstrap import DEFINITION
from servicekit.testing import housed


@pytest.fixture(scope="module")
def key_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
async def house(postgres_url: str, key_dir: Path) -> AsyncIterator[IdentityHouse]:
    async with housed(DEFINITION, postgres_url, key_dir, IdentityHouse) as one:
        yield one
