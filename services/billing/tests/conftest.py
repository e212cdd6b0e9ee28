"""Billing in a PostgreSQL schema of its own for every test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import psycopg
import pytest
from billing_house import House, built
from psycopg_pool import AsyncConnectionPool

from billing.bootstrap import DEFINITION
from servicekit.migrate import migrate


@pytest.fixture
async def house(postgres_url: str) -> AsyncIterator[House]:
    name = f"billing{uuid.uuid4().hex[:12]}"
    url = f"{postgres_url}?options=-csearch_path%3D{name}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE SCHEMA {name}")
        migrate(url, DEFINITION.migrations)
        async with AsyncConnectionPool(url, min_size=1, max_size=4, open=False, kwargs={"autocommit": True}) as pool:
            yield built(url, pool)
        await admin.execute(f"DROP SCHEMA {name} CASCADE")
