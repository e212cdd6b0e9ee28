"""What may be lost of members' privacy, by default: read from the environment with the service's other settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from metrics.release.domain.budget import Grant
from metrics.release.domain.loss import Accounting, Loss, femto_of, nano_of

PeriodKind = Literal["month", "quarter", "year"]
MONTHS_PER_QUARTER: Final = 3


class ReleaseSettings(BaseSettings):
    """Budgets hold for one owner of data and one period; a period keeps what it began with."""

    metrics_release_period: PeriodKind = "month"
    """Calendar months, quarters or years of METRICS_ZONE."""
    metrics_release_accounting: Accounting = "pure"
    """`pure`: epsilons add up. `zcdp`: rhos add up; from about 15 releases a period on there is less noise in it."""
    metrics_release_epsilon: float = Field(12.0, gt=0, le=100)
    """Granted per owner and period under `pure`."""
    metrics_release_rho: float = Field(0.5, gt=0, le=100)
    """Granted per owner and period under `zcdp`."""
    metrics_release_delta: float = Field(1e-6, ge=0, lt=1e-3)
    """Granted per owner and period: only trends need some."""
    metrics_release_cost_epsilon: float = Field(0.5, ge=0.001, le=10)
    """Paid for a release that names no other amount."""
    metrics_release_cost_rho: float = Field(0.02, ge=1e-6, le=10)
    """The same under `zcdp`."""
    metrics_release_cost_delta: float = Field(1e-8, gt=0, lt=1e-3)
    """Paid for the selection of a trend."""
    metrics_release_open_percent: int = Field(50, ge=0, le=100)
    """The part of a grant that may be spent for callers who do not answer for it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings as the slice uses them."""

    period: PeriodKind
    grant: Grant
    cost: dict[Accounting, Loss]
    selection_delta_femto: int


def terms_of(settings: ReleaseSettings) -> Terms:
    """The terms that these settings say."""
    granted = {"pure": settings.metrics_release_epsilon, "zcdp": settings.metrics_release_rho}
    accounting = settings.metrics_release_accounting
    loss = Loss(nano_of(granted[accounting]), femto_of(settings.metrics_release_delta))
    return Terms(
        period=settings.metrics_release_period,
        grant=Grant(accounting, loss, settings.metrics_release_open_percent),
        cost={
            "pure": Loss(nano_of(settings.metrics_release_cost_epsilon)),
            "zcdp": Loss(nano_of(settings.metrics_release_cost_rho)),
        },
        selection_delta_femto=femto_of(settings.metrics_release_cost_delta),
    )


def period_of(day: date, kind: PeriodKind) -> str:
    """The name of the period of a day: `2026-11`, `2026-Q4` or `2026`."""
    if kind == "month":
        return f"{day.year}-{day.month:02}"
    return f"{day.year}-Q{(day.month - 1) // MONTHS_PER_QUARTER + 1}" if kind == "quarter" else str(day.year)
