"""A gateway of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from edge_stand_in import Running, running


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """With the limits of a production that has one client."""
    async with running(tmp_path, allowed_origins=["https://web.test"]) as ready:
        yield ready
