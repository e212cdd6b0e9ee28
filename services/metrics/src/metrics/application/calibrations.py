"""Computed calibrations, kept until the data behind them changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime
from zoneinfo import ZoneInfo

from metrics.application.figures import Figures
from metrics.domain.calibration import WEEKS_READ, Calibration, calibrate
from metrics.domain.retention import DAYS_PER_WEEK
from metrics.domain.windows import day_of, ending

MAX_KEPT = 4
PROJECTIONS = ("activity", "registry")


class Calibrations:
    """Computes calibrations over all members of half a year, in a thread, so that the server does not block. Keeps the
    last `MAX_KEPT`."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Calibration] = OrderedDict()
        self._turn = asyncio.Lock()

    async def get(self, figures: Figures, as_of: datetime, zone: ZoneInfo) -> Calibration:
        """The calibration as of a moment. Callers wait for each other, so that one computation serves all of them."""
        week = ending(day_of(as_of, zone), DAYS_PER_WEEK, zone)
        reached = tuple(
            (one.projection, one.topic, one.partition, one.seq) for one in await figures.sources(PROJECTIONS)
        )
        key = week.last_day, zone.key, reached
        async with self._turn:
            if not reached or key not in self._kept:
                active = await figures.member_weeks(week, WEEKS_READ)
                registered = await figures.registered_by_week(week, WEEKS_READ)
                self._kept[key] = await asyncio.to_thread(calibrate, active, registered)
            self._kept.move_to_end(key)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]
