"""Which providers there are, and where the simulator's key comes from."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from billing.payment.provider import ProviderUnavailable
from billing.payment.providers import configured
from billing.payment.providers.simulator.keys import from_folder, from_url

URL = "http://127.0.0.1:9"


@pytest.mark.parametrize("profile", ["production", "local"])
@pytest.mark.parametrize(("url", "names"), [(URL, ["simulator"]), ("", [])])
async def test_a_provider_is_on_where_its_settings_are_whatever_the_profile(
    monkeypatch: pytest.MonkeyPatch, profile: str, url: str, names: list[str]
) -> None:
    monkeypatch.setenv("LYCEUM_PROFILE", profile)
    monkeypatch.setenv("PAYMENT_SIMULATOR_URL", url)
    async with aiohttp.ClientSession() as http:
        made = configured(http, "https://lyceum.example")
        assert list(made) == names == [provider.name for provider in made.values()]


async def test_a_key_that_cannot_be_had_makes_the_provider_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable):
        await from_folder(tmp_path)()
    async with aiohttp.ClientSession() as http:
        with pytest.raises(ProviderUnavailable):
            await from_url(http, URL)()
