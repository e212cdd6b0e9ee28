"""The simulated provider, which moves no money: who configures it takes its word for money that never comes."""

from __future__ import annotations

from pathlib import Path

import aiohttp
from pydantic_settings import BaseSettings, SettingsConfigDict

from billing.payment.providers.simulator.keys import SimulatorKeys, from_folder, from_url
from billing.payment.providers.simulator.provider import Simulator


class SimulatorSettings(BaseSettings):
    """Where it is: `PAYMENT_SIMULATOR_URL`, empty where it is not used. Its public key is in
    `PAYMENT_SIMULATOR_KEY_DIR`; unset: it is asked for it."""

    model_config = SettingsConfigDict(env_prefix="PAYMENT_SIMULATOR_", frozen=True, hide_input_in_errors=True)

    url: str = ""
    key_dir: Path | None = None


def configured(http: aiohttp.ClientSession, callback_url: str) -> Simulator | None:
    """See `Configured`."""
    settings = SimulatorSettings()
    if not settings.url:
        return None
    keys = from_folder(settings.key_dir) if settings.key_dir else from_url(http, settings.url)
    return Simulator(http, settings.url, callback_url, SimulatorKeys(keys))
