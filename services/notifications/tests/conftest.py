"""Notifications in a PostgreSQL schema of its own for every test, with a receiver on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from webhook_house import Receiver, WebhookHouse, receiving

from notifications.bootstrap import DEFINITION
from servicekit.testing import housed


@pytest.fixture
async def hooks(postgres_url: str, tmp_path: Path) -> AsyncIterator[WebhookHouse]:
    async with housed(DEFINITION, postgres_url, tmp_path, WebhookHouse, webhooks_allow_local=True) as one:
        yield one


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one
