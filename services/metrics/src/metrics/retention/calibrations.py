"""Computed calibrations, kept until the data behind them changes."""

from __future__ import annotations

import asyncio
from typing import Final

from metrics.domain.windows import Window
from metrics.kept import Kept, reached
from metrics.reading import Reading
from metrics.retention import queries
from metrics.retention.domain.calibration import WEEKS_READ, Calibration, calibrate

MAX_KEPT: Final = 4
PROJECTIONS: Final = ("activity", "registry")


class Calibrations:
    """Computes calibrations over all members of half a year, in a thread, so that the server does not block."""

    def __init__(self) -> None:
        self._kept: Kept[Calibration] = Kept(MAX_KEPT)

    async def get(self, reading: Reading, week: Window) -> Calibration:
        """The calibration as of the end of a week."""
        key = week.last_day, week.zone.key
        position = reached(await reading.sources(PROJECTIONS))
        return await self._kept.get(key, position, lambda: _computed(reading, week))


async def _computed(reading: Reading, week: Window) -> Calibration:
    active = await queries.member_weeks(reading, week, WEEKS_READ)
    registered = await queries.registered_by_week(reading, week, WEEKS_READ)
    return await asyncio.to_thread(calibrate, active, registered)
