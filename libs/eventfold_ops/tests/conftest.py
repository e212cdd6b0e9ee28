"""Fixtures over a real PostgreSQL: every test has a schema and a topic prefix of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from house import House, built


@pytest.fixture
async def house(postgres_url: str) -> AsyncIterator[House]:
    async with built(postgres_url) as one:
        yield one
