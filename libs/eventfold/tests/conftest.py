"""Fixtures over a real PostgreSQL: every test has a schema and a topic prefix of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

pytest.register_assert_rewrite("shelf_checks", "shelf_folding", "shelf_model", "shelf_operating", "shelf_writing")

from house import House, built  # noqa: E402 - after the rewriting is asked for


@pytest.fixture
async def house(postgres_url: str) -> AsyncIterator[House]:
    async with built(postgres_url) as one:
        yield one
