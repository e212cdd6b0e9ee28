"""What the application needs of the outside: payment providers, and owners of content."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from billing.domain.money import Money
from billing.domain.payment import Intent
from eventfold.errors import InvalidInput, NotPermitted, OutcomeUnknown


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
    """What a provider says of a payment; `provider_reference` is set once it is paid."""

    merchant_number: str
    status: Literal["pending", "paid", "failed"]
    amount: Money
    provider_reference: str
    reason: str


class Provider(Protocol):
    """A payment provider. Every method may be repeated; the merchant number says which payment is meant."""

    name: str

    async def create(self, intent: Intent, merchant_number: str) -> str:
        """Ask for the money; returns where the buyer pays. Raises `ProviderUnavailable`."""

    async def query(self, merchant_number: str) -> Report | None:
        """What has become of a payment; None if it is unknown there. Raises `ProviderUnavailable`."""

    async def close(self, merchant_number: str) -> Report | None:
        """Stop waiting for the buyer; what has become of it then, None if unknown. Raises `ProviderUnavailable`."""

    async def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """The report in a callback, its signature verified over the raw body before that is read.

        Raises `ForgedCallback`, `StaleCallback`, `UnreadableCallback` or `ProviderUnavailable` (no key to verify with).
        """


class ContentOwners(Protocol):
    """Who published which content, as far as catalog's events have been folded."""

    async def owners(self, content_ids: Collection[str]) -> Mapping[str, str]:
        """Content id to creator id, for those that are known."""
