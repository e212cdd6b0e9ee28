"""What the service is told by its environment."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from servicekit.settings import ServiceSettings


class NotificationsSettings(ServiceSettings):
    """The settings of webhooks.

    `webhooks_allow_local` lets endpoints be `http` addresses of this machine. It is for the local profile alone: with
    any other, no process starts.
    """

    webhooks_allow_local: bool = False
    webhooks_max_endpoints: int = Field(default=20, ge=1, le=1_000)
    """Of one member."""
    webhooks_in_flight: int = Field(default=64, ge=4, le=512)
    """Requests of the sender at once: half of them to endpoints that answer, a quarter to those never asked before, a
    quarter to those that fail or dawdle."""

    @model_validator(mode="after")
    def _local_only_locally(self) -> Self:
        if self.webhooks_allow_local and not self.is_local:
            raise ValueError("WEBHOOKS_ALLOW_LOCAL needs LYCEUM_PROFILE=local")
        return self
