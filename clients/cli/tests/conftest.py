"""Fixtures of the command line's tests."""

from __future__ import annotations

import pytest
from fake_gateway import FakeGateway, over

from lyceum_cli.gateway import Gateway


@pytest.fixture
def fake() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
async def gateway(fake: FakeGateway) -> Gateway:
    logged_in = over(fake)
    await logged_in.log_in("importer", "secret")
    return logged_in
