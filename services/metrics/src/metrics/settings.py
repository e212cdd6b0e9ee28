"""The service's settings, read from the environment."""

from __future__ import annotations

from functools import cached_property
from zoneinfo import ZoneInfo, available_timezones

from pydantic import field_validator
from pydantic_settings import BaseSettings

from servicekit.settings import ServiceSettings


class ZoneSettings(BaseSettings):
    """The zone of the calendar days, an IANA name. Days are counted while folding, so another zone needs a rebuild of
    the projection `activity` (`--new-settings`)."""

    metrics_zone: str = "UTC"

    @field_validator("metrics_zone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("METRICS_ZONE must be the IANA name of a time zone")
        return value

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone itself."""
        return ZoneInfo(self.metrics_zone)


class MetricsSettings(ServiceSettings, ZoneSettings):
    """The common settings and the zone."""
