"""What the service is told by its environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from servicekit.settings import ServiceSettings


class BillingSettings(ServiceSettings):
    """Fees, providers, and when a payment is given up.

    The simulated provider moves no money: it is on only in the `local` profile, and where its URL is set. Its public
    key comes from `payment_simulator_key_dir` if that is set, else from the simulator itself.
    """

    platform_fee_bps: int = Field(default=1000, ge=0, le=10_000)
    payment_simulator_url: str = ""
    payment_simulator_key_dir: Path | None = None
    public_url: str = "http://127.0.0.1:8080"
    payment_expires_after_s: float = Field(default=7200.0, gt=0)
