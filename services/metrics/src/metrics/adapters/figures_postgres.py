"""Figures that PostgreSQL sums over the read tables; all figures of one answer come from one snapshot."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from eventfold import Connection, Pool
from eventfold.postgres import built_under
from metrics.application.figures import Look, Orders, Payments, Source
from metrics.domain.calibration import MemberWeeks
from metrics.domain.kinds import KINDS, Kind
from metrics.domain.retention import DAYS_PER_WEEK, Survival
from metrics.domain.windows import Window
from metrics.projections import activity
from metrics.projections.registry import COMMUNITY_ROLES

_INTERACTIONS = "views + likes + comments + shares + ratings + completions"

_SURVIVAL = """SELECT count(*) FILTER (WHERE next_day = day + 1), count(*) FILTER (WHERE day < %(last)s)
FROM (SELECT day, lead(day) OVER (PARTITION BY member_id ORDER BY day) AS next_day
      FROM member_day WHERE day <= %(last)s) AS active"""

_BY_KIND = """SELECT coalesce(sum(views), 0), coalesce(sum(likes), 0), coalesce(sum(comments), 0),
    coalesce(sum(shares), 0), coalesce(sum(ratings), 0), coalesce(sum(completions), 0)
FROM member_day WHERE day <= %(last)s AND (%(first)s::date IS NULL OR day >= %(first)s::date)"""

_OF_MEMBER = f"""SELECT coalesce(sum({_INTERACTIONS}), 0) FROM member_day
WHERE member_id = %s AND day BETWEEN %s AND %s"""  # noqa: S608 - declared columns

_WEEKS = f"""WITH active AS (
    SELECT member_id, (%(last)s - day) / 7 AS week, sum({_INTERACTIONS})::bigint AS interactions
    FROM member_day WHERE day <= %(last)s AND day > %(last)s - 7 * %(weeks)s::int GROUP BY 1, 2
)
SELECT least(%(weeks)s - width_bucket(m.registered_at, %(edges)s::timestamptz[]), %(weeks)s - 1),
    jsonb_object_agg(active.week, active.interactions)
FROM active JOIN member m USING (member_id) WHERE m.role = ANY(%(roles)s) GROUP BY m.member_id"""  # noqa: S608

_REGISTERED = """SELECT
    least(%(weeks)s - width_bucket(registered_at, %(edges)s::timestamptz[]), %(weeks)s - 1), count(*)
FROM member WHERE role = ANY(%(roles)s) AND registered_at < %(end)s GROUP BY 1"""

_PAYMENTS = """SELECT count(DISTINCT member_id), coalesce(sum(charged_minor), 0) FROM placed_order
WHERE paid_at >= %s AND paid_at < %s AND currency = %s AND charged_minor > 0"""

_ORDERS = """SELECT count(*) FILTER (WHERE placed_at < %(before)s), count(*) FILTER (WHERE paid_at < %(before)s)
FROM placed_order"""

# The locks come before the snapshot: otherwise a rebuild could swap the tables between two statements of one answer.
_LOOK = """SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
LOCK TABLE member_day, member, content, placed_order IN ACCESS SHARE MODE"""

_SOURCES = """SELECT projection, topic, partition, seq, applied_at FROM fold_position
WHERE projection = ANY(%s) AND NOT closed ORDER BY projection, topic, partition"""


class PostgresFigures:
    """`Figures` over a connection inside one REPEATABLE READ transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def _row(self, query: str, parameters: Any = None) -> tuple[Any, ...]:
        rows: list[tuple[Any, ...]] = await (await self._conn.execute(query, parameters)).fetchall()
        return rows[0]

    async def first_active_day(self) -> date | None:
        """See `Figures`."""
        return (await self._row("SELECT min(day) FROM member_day"))[0]  # type: ignore[no-any-return]

    async def first_paid_at(self, currency: str) -> datetime | None:
        """See `Figures`."""
        found = await self._row("SELECT min(paid_at) FROM placed_order WHERE currency = %s", [currency])
        return found[0]  # type: ignore[no-any-return]

    async def survival(self, last_day: date) -> Survival:
        """See `Figures`."""
        return Survival(*await self._row(_SURVIVAL, {"last": last_day}))

    async def interactions(self, first_day: date | None, last_day: date) -> Mapping[Kind, int]:
        """See `Figures`."""
        sums = await self._row(_BY_KIND, {"first": first_day, "last": last_day})
        return dict(zip(KINDS, map(int, sums), strict=True))

    async def member_interactions(self, member_id: str, window: Window) -> int:
        """See `Figures`."""
        return int((await self._row(_OF_MEMBER, [member_id, window.first_day, window.last_day]))[0])

    async def is_member(self, member_id: str) -> bool:
        """See `Figures`."""
        found = await self._row("SELECT EXISTS (SELECT FROM member WHERE member_id = %s)", [member_id])
        return bool(found[0])

    async def members(self, before: datetime) -> int:
        """See `Figures`."""
        found = await self._row(
            "SELECT count(*) FROM member WHERE role = ANY(%s) AND registered_at < %s", [list(COMMUNITY_ROLES), before]
        )
        return int(found[0])

    async def member_weeks(self, this_week: Window, weeks: int) -> Sequence[MemberWeeks]:
        """See `Figures`."""
        rows = await (await self._conn.execute(_WEEKS, _week_parameters(this_week, weeks))).fetchall()
        return [MemberWeeks(since, {int(week): count for week, count in active.items()}) for since, active in rows]

    async def registered_by_week(self, this_week: Window, weeks: int) -> Mapping[int, int]:
        """See `Figures`."""
        return dict(await (await self._conn.execute(_REGISTERED, _week_parameters(this_week, weeks))).fetchall())

    async def payments(self, start: datetime, before: datetime, currency: str) -> Payments:
        """See `Figures`."""
        payers, revenue_minor = await self._row(_PAYMENTS, [start, before, currency])
        return Payments(int(payers), int(revenue_minor))

    async def orders(self, before: datetime) -> Orders:
        """See `Figures`."""
        return Orders(*await self._row(_ORDERS, {"before": before}))

    async def contents(self, before: datetime) -> int:
        """See `Figures`."""
        return int((await self._row("SELECT count(*) FROM content WHERE published_at < %s", [before]))[0])

    async def sources(self, projections: Sequence[str]) -> Sequence[Source]:
        """See `Figures`."""
        rows = await (await self._conn.execute(_SOURCES, [list(projections)])).fetchall()
        return [Source(*row) for row in rows]


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


def postgres_look(pool: Pool, zone: ZoneInfo) -> Look:
    """Reads the tables through `pool`. Raises `BuiltUnderOther` if days were counted in another zone."""
    wanted = {activity.NAME: activity.built_under(zone)}

    @contextlib.asynccontextmanager
    async def look() -> AsyncIterator[PostgresFigures]:
        async with pool.connection() as conn, conn.transaction():
            await conn.execute(_LOOK, prepare=False)  # two statements
            await built_under.check(conn, wanted)
            yield PostgresFigures(conn)

    return look
