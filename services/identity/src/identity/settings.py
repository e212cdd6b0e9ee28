"""Settings of the identity service."""

from __future__ import annotations

from servicekit.settings import ServiceSettings


class IdentitySettings(ServiceSettings):
    """The settings of identity beyond the common ones.

    `notifier_url` receives one-time codes by POST in production; the local profile writes them to a file instead.
    """

    public_url: str = "http://127.0.0.1:8080"
    notifier_url: str = ""
    access_token_s: int = 600
    session_days: int = 30
    claim_code_s: int = 600
