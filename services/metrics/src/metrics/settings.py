"""The service's settings, read from the environment."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from metrics.domain.kinds import QUALITY, Kind, Weights
from metrics.release.settings import ReleaseSettings
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


class MetricsSettings(ServiceSettings, ZoneSettings, ReleaseSettings):
    """The common settings, the zone, and what figures are computed with.

    `metrics_weights` are the weights of the kinds of interaction by which the quality of activity is measured, as
    `{"view": 1, "like": 2, "rate": 2, "comment": 3, "share": 3, "complete": 4}`; a kind left out keeps its default. A
    content's rating counts as `metrics_prior_ratings` ratings at the platform's mean, besides its own. What members
    were shown is kept for `metrics_impressions_days`: as events it stays.
    """

    metrics_weights: dict[Kind, Annotated[float, Field(ge=0.0, le=1_000.0, allow_inf_nan=False)]] = {}
    metrics_prior_ratings: float = Field(default=10.0, ge=0.0, le=10_000.0, allow_inf_nan=False)
    metrics_impressions_days: int = Field(default=400, ge=2, le=3_650)

    @cached_property
    def weights(self) -> Weights:
        """The weight of every kind."""
        return {**QUALITY, **self.metrics_weights}
