"""What the service is told by its environment."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import ServiceSettings


class BillingSettings(ServiceSettings):
    """The fee, where providers reach us, and when a payment is given up; each provider has settings of its own (see
    `billing.payment.providers`)."""

    platform_fee_bps: int = Field(default=1000, ge=0, le=10_000)
    public_url: str = "http://127.0.0.1:8080"
    payment_expires_after_s: float = Field(default=7200.0, gt=0)
