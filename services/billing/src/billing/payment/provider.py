"""What the application needs of a payment provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import aiohttp

from billing.money import Money
from billing.payment.domain import Intent
from eventfold.errors import InvalidInput, NotPermitted, OutcomeUnknown
from eventfold.timers import intents


class ProviderUnavailable(OutcomeUnknown):
    """The payment provider gave no usable answer."""


class ForgedCallback(NotPermitted):
    """The signature of a callback is not the provider's."""

    code = "FORGED_CALLBACK"


class StaleCallback(NotPermitted):
    """A callback's timestamp is too far from now; the provider will send a fresh one, or we shall ask."""

    code = "STALE_CALLBACK"


class UnreadableCallback(InvalidInput):
    """A callback lacks a header, or its signed body does not say what it must."""

    code = "UNREADABLE_CALLBACK"


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider says of a payment; `provider_reference` is set once it is paid, `pay_url` (where the buyer pays)
    when it is asked for the money."""

    merchant_number: str
    status: Literal["pending", "paid", "failed"]
    amount: Money
    provider_reference: str
    reason: str
    pay_url: str = ""


class Provider(intents.Provider[Intent, Report], Protocol):
    """A payment provider: asked to have the buyer pay, by the merchant number. Every method may be repeated.

    `name` stands in what is recorded and in the address of callbacks; `answer` is the code by which the provider knows
    that its callback was taken. All methods raise `ProviderUnavailable` where there is no usable answer.
    """

    name: str
    answer: str

    async def close(self, merchant_number: str) -> Report | None:
        """Stop waiting for the buyer; what has become of it then, None if unknown."""

    async def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """The report in a callback, its signature verified over the raw body before that is read.

        Raises `ForgedCallback`, `StaleCallback` or `UnreadableCallback`, too.
        """


Configured = Callable[[aiohttp.ClientSession, str], Provider | None]
"""Makes a provider of its settings, for calls over this session and callbacks to this address; None: it has none."""
