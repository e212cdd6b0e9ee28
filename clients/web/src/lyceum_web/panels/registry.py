"""All panels, in the order in which the dashboard shows them. A new one is a module, a template and a line here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lyceum_web.panels import (
    activity,
    benchmark,
    buying,
    calibration,
    cohorts,
    earnings,
    funnel,
    outlook,
    overview,
    own_activity,
    own_retention,
    privacy,
    promotions,
    quality,
    restated,
    retention,
    revenue,
    slots,
    survival,
    trend,
    worth,
)
from lyceum_web.panels.panel import Panel

PANELS: Final[Sequence[Panel]] = (
    overview.PANEL,
    trend.PANEL,
    activity.PANEL,
    retention.PANEL,
    cohorts.PANEL,
    worth.PANEL,
    survival.PANEL,
    calibration.PANEL,
    revenue.PANEL,
    earnings.PANEL,
    outlook.PANEL,
    buying.PANEL,
    funnel.PANEL,
    slots.PANEL,
    promotions.PANEL,
    quality.PANEL,
    benchmark.PANEL,
    privacy.PANEL,
    restated.PANEL,
    own_activity.PANEL,
    own_retention.PANEL,
)


def panels_for(role: str) -> list[Panel]:
    """The panels of a role; none for a role that is newer than these pages."""
    return [panel for panel in PANELS if role in panel.roles]
