"""Wiring: which providers there are, and where the simulator's key comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from billing.adapters.simulator_keys import from_folder, from_url
from billing.application.ports import ProviderUnavailable
from billing.bootstrap import providers_of
from billing.settings import BillingSettings

URL = "http://127.0.0.1:9"


def settings(**more: Any) -> BillingSettings:
    return BillingSettings(database_url="", kafka_bootstrap="", key_dir=Path(), **more)


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"lyceum_profile": "local", "payment_simulator_url": URL}, ["simulator"]),
        ({"lyceum_profile": "local"}, []),
        ({"payment_simulator_url": URL}, []),
    ],
)
async def test_the_simulator_is_on_only_locally_and_where_it_has_an_address(
    more: dict[str, Any], names: list[str]
) -> None:
    async with aiohttp.ClientSession() as http:
        assert list(providers_of(settings(**more), http)) == names


async def test_a_key_that_cannot_be_had_makes_the_provider_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable):
        await from_folder(tmp_path)()
    async with aiohttp.ClientSession() as http:
        with pytest.raises(ProviderUnavailable):
            await from_url(http, URL)()
