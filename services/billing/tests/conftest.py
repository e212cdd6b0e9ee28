"""Billing in a PostgreSQL schema of its own for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from billing_house import BillingHouse, FakeProvider

from billing.bootstrap import DEFINITION
from billing.payment import providers
from servicekit.testing import housed


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BillingHouse]:
    provider = FakeProvider()
    monkeypatch.setattr(providers, "PROVIDERS", {"simulator": lambda _http, _url: provider})
    async with housed(DEFINITION, postgres_url, tmp_path, BillingHouse) as one:
        one.provider = provider
        yield one
