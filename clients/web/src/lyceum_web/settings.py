"""Settings of the web client, each an environment variable of its name in capitals."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class WebSettings(BaseSettings):
    """Where it listens, whom it asks, and under which address browsers know it.

    `key_dir` keeps the key of the cookies. `chart_dir` holds the chart library as `make setup` fetched it; without it
    pages have tables only. Raises ValidationError for what is missing or unusable.
    """

    model_config = SettingsConfigDict(frozen=True)

    web_host: str = "127.0.0.1"
    web_port: int = 15091
    gateway_url: str
    public_url: str
    key_dir: Path
    chart_dir: Path | None = None
    drain_notice_s: float = 5.0

    @field_validator("gateway_url", "public_url")
    @classmethod
    def _is_origin(cls, url: str) -> str:
        """Scheme, host and port, and nothing else; raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
            raise ValueError("must be http:// or https://, a host, and a port if needed")
        if parts.username or parts.fragment:
            raise ValueError("must hold neither a name nor a fragment")
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers come over https, whatever the last stretch to this process is."""
        return self.public_url.startswith("https://")

    def with_changes(self, **changes: object) -> Self:
        """These settings with others in their place."""
        return self.model_copy(update=changes)
