"""Payment providers, a folder for each: the list of those that there are, and which of them are configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import aiohttp

from billing.payment.provider import Configured, Provider
from billing.payment.providers import simulator

PROVIDERS: Final[Mapping[str, Configured]] = {"simulator": simulator.configured}


def configured(http: aiohttp.ClientSession, public_url: str) -> Mapping[str, Provider]:
    """Those that have settings in this process's environment, by name. `public_url` is where they reach us."""
    callbacks = f"{public_url.rstrip('/')}/v1/callbacks"
    made = {name: configure(http, f"{callbacks}/{name}") for name, configure in PROVIDERS.items()}
    return {name: provider for name, provider in made.items() if provider}
