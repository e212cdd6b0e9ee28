"""What retention is computed from, read from the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from metrics.domain.kinds import INTERACTIONS_SQL
from metrics.domain.periods import DAYS_PER_WEEK
from metrics.domain.windows import Window
from metrics.projections.registry import COMMUNITY_ROLES
from metrics.reading import Reading
from metrics.retention.domain.calibration import MemberWeeks
from metrics.retention.domain.retention import Survival


async def first_active_day(reading: Reading) -> date | None:
    """The earliest day on which a member was active."""
    return (await reading.row("SELECT min(day) FROM member_day"))[0]  # type: ignore[no-any-return]


async def survival(reading: Reading, last_day: date) -> Survival:
    """Day-to-day survival observed up to `last_day`."""
    return Survival(*await reading.row(_SURVIVAL, {"last": last_day}))


_SURVIVAL = """SELECT count(*) FILTER (WHERE next_day = day + 1), count(*) FILTER (WHERE day < %(last)s)
FROM (SELECT day, lead(day) OVER (PARTITION BY member_id ORDER BY day) AS next_day
      FROM member_day WHERE day <= %(last)s) AS active"""


async def member_weeks(reading: Reading, this_week: Window, weeks: int) -> Sequence[MemberWeeks]:
    """Community members with an active week among the `weeks` weeks that end with `this_week` (week 0). Earlier
    registrations count in the first week, later ones in week -1."""
    rows = await reading.rows(_WEEKS, _week_parameters(this_week, weeks))
    return [MemberWeeks(since, {int(week): count for week, count in active.items()}) for since, active in rows]


_WEEKS = f"""WITH active AS (
    SELECT member_id, (%(last)s - day) / 7 AS week, sum({INTERACTIONS_SQL})::bigint AS interactions
    FROM member_day WHERE day <= %(last)s AND day > %(last)s - 7 * %(weeks)s::int GROUP BY 1, 2
)
SELECT least(%(weeks)s - width_bucket(m.registered_at, %(edges)s::timestamptz[]), %(weeks)s - 1),
    jsonb_object_agg(active.week, active.interactions)
FROM active JOIN member m USING (member_id) WHERE m.role = ANY(%(roles)s) GROUP BY m.member_id"""  # noqa: S608


async def registered_by_week(reading: Reading, this_week: Window, weeks: int) -> Mapping[int, int]:
    """Community accounts by the week of their registration; earlier ones count in the first week."""
    return dict(await reading.rows(_REGISTERED, _week_parameters(this_week, weeks)))


_REGISTERED = """SELECT
    least(%(weeks)s - width_bucket(registered_at, %(edges)s::timestamptz[]), %(weeks)s - 1), count(*)
FROM member WHERE role = ANY(%(roles)s) AND registered_at < %(end)s GROUP BY 1"""


def _week_parameters(this_week: Window, weeks: int) -> dict[str, Any]:
    """`edges` are the first instants of the weeks, the earliest first, and the end of the last one."""
    starts = [this_week, *(this_week.before(DAYS_PER_WEEK * back) for back in range(1, weeks))]
    return {
        "last": this_week.last_day,
        "weeks": weeks,
        "edges": [*(week.start for week in reversed(starts)), this_week.end],
        "roles": list(COMMUNITY_ROLES),
        "end": this_week.end,
    }
