"""Sums of what members did, read from the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final, Literal, NamedTuple

from metrics.activity.domain import Spell
from metrics.domain.kinds import COLUMN_OF, INTERACTIONS_SQL, KINDS, SUMS_SQL, Kind
from metrics.domain.periods import NUMBER_SQL, Periods, first_day
from metrics.domain.windows import DAY, Window
from metrics.reading import Reading
from metrics.scope import Scope

By = Literal["creator", "content", "tag"]
BYS: Final[tuple[By, ...]] = ("creator", "content", "tag")


async def interactions(reading: Reading, first_day: date | None, last_day: date) -> Mapping[Kind, int]:
    """Counted interactions of all members; every kind is present. Days are inclusive."""
    sums = await reading.row(_BY_KIND, {"first": first_day, "last": last_day})
    return dict(zip(KINDS, sums, strict=True))


_BY_KIND = f"""SELECT {SUMS_SQL} FROM member_day
WHERE day <= %(last)s AND (%(first)s::date IS NULL OR day >= %(first)s::date)"""  # noqa: S608 - declared columns


class Counted(NamedTuple):
    """How much there is: content published, orders placed and paid, free ones included."""

    contents: int
    orders_placed: int
    orders_paid: int


async def counted(reading: Reading, before: datetime) -> Counted:
    """What there was before an instant."""
    (contents,) = await reading.row("SELECT count(*) FROM content WHERE published_at < %s", [before])
    orders = """SELECT count(*) FILTER (WHERE placed_at < %(before)s), count(*) FILTER (WHERE paid_at < %(before)s)
        FROM placed_order"""
    return Counted(contents, *await reading.row(orders, {"before": before}))


async def spells(reading: Reading, periods: Periods, scope: Scope) -> Mapping[int, Spell]:
    """The periods by number that had active members, and the one before the first."""
    parameters = {
        **scope.parameters,
        "from": first_day(periods.first - 1, periods.period),
        "to": periods.last_day,
        "edges": periods.edges,
        "number": periods.first,
    }
    rows = await reading.rows(_spells(periods, scope), parameters)
    return {
        numbered: Spell(active=active, new=new, returning=returning, by_kind=dict(zip(KINDS, sums, strict=True)))
        for numbered, active, new, returning, *sums in rows
    }


def _spells(periods: Periods, scope: Scope) -> str:
    """`registered` is the number of the period of the registration, where it is one of them."""
    kinds = ", ".join(f"sum({kind})::bigint AS {kind}" for kind in COLUMN_OF.values())
    return f"""WITH active AS (
        SELECT member_id, {NUMBER_SQL[periods.period].format("day")} AS number, {kinds}
        FROM {scope.days} d WHERE day BETWEEN %(from)s AND %(to)s GROUP BY 1, 2
    ), known AS (
        SELECT a.*, lag(number) OVER (PARTITION BY member_id ORDER BY number) = number - 1 AS stayed,
            width_bucket(m.registered_at, %(edges)s::timestamptz[]) - 1 + %(number)s AS registered
        FROM active a JOIN member m USING (member_id) WHERE m.role = ANY(%(roles)s)
    )
    SELECT number, count(*), count(*) FILTER (WHERE registered = number AND stayed IS NOT TRUE),
        count(*) FILTER (WHERE stayed), {SUMS_SQL}
    FROM known GROUP BY number"""  # noqa: S608 - declared columns


async def spans(
    reading: Reading, window: Window, scope: Scope, lengths_days: Sequence[int]
) -> Mapping[int, Mapping[date, int]]:
    """For members active within the last so many days, by this number: by day, those who begin to be minus those who
    cease to."""
    parameters = {
        **scope.parameters,
        "from": window.first_day - (max(lengths_days) - 1) * DAY,
        "to": window.last_day,
        "lengths": list(lengths_days),
    }
    found: dict[int, dict[date, int]] = {length: {} for length in lengths_days}
    for length, day, change in await reading.rows(_spans(scope), parameters):
        found[length][day] = change
    return found


def _spans(scope: Scope) -> str:
    """A member's active days, each lasting until the next one or for so many days: no day is in two of them."""
    return f"""WITH active AS (
        SELECT member_id, day, lead(day) OVER (PARTITION BY member_id ORDER BY day) AS next_day FROM (
            SELECT DISTINCT member_id, day FROM {scope.days} d JOIN member m USING (member_id)
            WHERE day BETWEEN %(from)s AND %(to)s AND m.role = ANY(%(roles)s)
        ) AS one
    ), begun AS (
        SELECT day, count(*) AS members FROM active GROUP BY day
    ), over AS (
        SELECT length, least(day + length, next_day) AS day, count(*) AS members
        FROM active CROSS JOIN unnest(%(lengths)s::int[]) AS length GROUP BY 1, 2
    )
    SELECT length, day, sum(change)::bigint FROM (
        SELECT length, day, members AS change FROM begun CROSS JOIN unnest(%(lengths)s::int[]) AS length
        UNION ALL SELECT length, day, -members FROM over
    ) AS changes GROUP BY 1, 2"""  # noqa: S608


class Share(NamedTuple):
    """Activity of one creator, content or tag."""

    key: str
    title: str
    active: int
    by_kind: Mapping[Kind, int]


async def shares(reading: Reading, window: Window, scope: Scope, by: By, limit: int) -> list[Share]:
    """The most active ones, by interactions."""
    parameters = {**scope.parameters, "from": window.first_day, "to": window.last_day, "limit": limit}
    rows = await reading.rows(_shares(scope, by), parameters)
    return [Share(key, title, active, dict(zip(KINDS, sums, strict=True))) for key, title, active, *sums in rows]


def _shares(scope: Scope, by: By) -> str:
    key, title = {
        "creator": ("c.creator_id", "''"),
        "content": ("c.content_id", "min(c.title)"),
        "tag": ("t.tag", "''"),
    }[by]
    tags = "CROSS JOIN LATERAL jsonb_array_elements_text(c.tags) AS t(tag)" if by == "tag" else ""
    return f"""SELECT {key}, {title}, count(DISTINCT d.member_id), {SUMS_SQL}
    FROM content c JOIN member_content_day d USING (content_id) JOIN member m ON m.member_id = d.member_id {tags}
    WHERE {scope.contents} AND d.day BETWEEN %(from)s AND %(to)s AND m.role = ANY(%(roles)s)
    GROUP BY {key} ORDER BY sum({INTERACTIONS_SQL}) DESC, {key} LIMIT %(limit)s"""  # noqa: S608


class Restated(NamedTuple):
    """See the table `restated_day`."""

    day: date
    seen_on: date
    reason: str
    interactions: int
    purchases: int
    first_recorded_at: datetime
    last_recorded_at: datetime


async def restated(reading: Reading, window: Window, limit: int) -> list[Restated]:
    """Days that were changed by what was recorded in the window, the newest first."""
    query = """SELECT day, seen_on, reason, interactions, purchases, first_recorded_at, last_recorded_at
        FROM restated_day WHERE seen_on BETWEEN %s AND %s ORDER BY seen_on DESC, day DESC, reason LIMIT %s"""
    return [Restated(*row) for row in await reading.rows(query, [window.first_day, window.last_day, limit])]
