"""Billing in a PostgreSQL schema of its own for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from billing_house import House, built
from psycopg_pool import AsyncConnectionPool
from servicing import migrated

from billing.bootstrap import DEFINITION


@pytest.fixture
async def house(postgres_url: str) -> AsyncIterator[House]:
    async with (
        migrated(postgres_url, DEFINITION) as url,
        AsyncConnectionPool(url, min_size=1, max_size=4, open=False, kwargs={"autocommit": True}) as pool,
    ):
        yield built(url, pool)
