"""identity in a PostgreSQL schema of its own for every test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from identity_house import House

from identity.bootstrap import DEFINITION, parts
from identity.entrypoints.servicer import IdentityServicer
from identity.settings import IdentitySettings
from servicekit.database import make_pool
from servicekit.definition import wire
from servicekit.migrate import migrate


@pytest.fixture(scope="module")
def key_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
async def house(postgres_url: str, key_dir: Path) -> AsyncIterator[House]:
    name = f"identity{uuid.uuid4().hex[:12]}"
    url = f"{postgres_url}?options=-csearch_path%3D{name}"
    settings = IdentitySettings(lyceum_profile="local", database_url=url, kafka_bootstrap="unused", key_dir=key_dir)
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE SCHEMA {name}".encode())
        migrate(url, DEFINITION.migrations)
        async with make_pool(url, 8) as pool:
            wiring = wire(DEFINITION, settings, pool, lambda: None)
            yield House(wiring, IdentityServicer(parts(wiring)), url)
        await admin.execute(f"DROP SCHEMA {name} CASCADE".encode())
