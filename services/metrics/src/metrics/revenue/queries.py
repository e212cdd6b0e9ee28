"""What revenue is computed from, read from the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from metrics.domain.periods import Periods
from metrics.domain.windows import DAY, Window
from metrics.members import members
from metrics.projections.registry import COMMUNITY_ROLES
from metrics.reading import Reading
from metrics.revenue.domain.buying import Purchase
from metrics.revenue.domain.forecast import Spent
from metrics.revenue.domain.revenue import Earned
from metrics.scope import Scope


class Payments(NamedTuple):
    """Distinct payers and what they paid, in minor units of one currency."""

    payers: int
    revenue_minor: int


async def first_paid_at(reading: Reading, currency: str) -> datetime | None:
    """When the first order in the currency was paid."""
    found = await reading.row("SELECT min(paid_at) FROM placed_order WHERE currency = %s", [currency])
    return found[0]  # type: ignore[no-any-return]


async def payments(reading: Reading, window: Window, currency: str) -> Payments:
    """Paid orders above 0."""
    query = """SELECT count(DISTINCT member_id), coalesce(sum(charged_minor), 0)::bigint FROM placed_order
        WHERE paid_at >= %s AND paid_at < %s AND currency = %s AND charged_minor > 0"""
    return Payments(*await reading.row(query, [window.start, window.end, currency]))


_EARNED = """count(*), count(DISTINCT member_id) FILTER (WHERE charged_minor > 0),
    coalesce(sum(list_minor), 0)::bigint, coalesce(sum(discount_minor), 0)::bigint,
    coalesce(sum(charged_minor), 0)::bigint, coalesce(sum(fee_minor), 0)::bigint"""


async def earned(reading: Reading, asked: Periods, scope: Scope, currency: str) -> tuple[Mapping[int, Earned], Earned]:
    """What was paid in each period that had orders, by its number, and in all of them."""
    parameters = {**scope.parameters, "edges": asked.edges, "number": asked.first, "currency": currency}
    number = "width_bucket(paid_at, %(edges)s::timestamptz[]) - 1 + %(number)s"
    paid = f"""FROM placed_order o WHERE {scope.orders} AND currency = %(currency)s
        AND paid_at >= (%(edges)s::timestamptz[])[1] AND paid_at < (%(edges)s::timestamptz[])[%(last)s]"""
    parameters["last"] = len(asked.edges)
    rows = await reading.rows(f"SELECT {number}, {_EARNED} {paid} GROUP BY 1", parameters)
    total = await reading.row(f"SELECT {_EARNED} {paid}", parameters)
    return {numbered: Earned(*sums) for numbered, *sums in rows}, Earned(*total)


async def members_by(reading: Reading, asked: Periods) -> Mapping[int, int]:
    """Members registered by the end of each period."""
    edges = asked.edges
    query = """SELECT width_bucket(registered_at, %(edges)s::timestamptz[]), count(*) FROM member
        WHERE role = ANY(%(roles)s) AND registered_at < %(end)s GROUP BY 1"""
    rows = await reading.rows(query, {"edges": edges, "roles": list(COMMUNITY_ROLES), "end": edges[-1]})
    return _cumulated(dict(rows), asked)


def _cumulated(by_bucket: Mapping[int, int], asked: Periods) -> dict[int, int]:
    found, total = {}, by_bucket.get(0, 0)
    for at, number in enumerate(range(asked.first, asked.last + 1), start=1):
        found[number] = total = total + by_bucket.get(at, 0)
    return found


async def spent(reading: Reading, latest: Window, windows: int, scope: Scope, currency: str) -> list[Spent]:
    """What each payer spent in each of the consecutive windows that end with `latest`, oldest first."""
    asked = [latest]
    while len(asked) < windows:
        asked.append(asked[-1].before(latest.days))
    asked.reverse()
    parameters = {
        **scope.parameters,
        "edges": [*(one.start for one in asked), latest.end],
        "end": latest.end,
        "begin": asked[0].start,
        "currency": currency,
    }
    found: dict[int, dict[int, int]] = {}
    for at, amount, payers in await reading.rows(_spent(scope), parameters):
        found.setdefault(at - 1, {})[amount] = payers
    counts = [await members(reading, one.end) for one in asked]
    return [
        Spent(one.first_day, one.last_day, count, found.get(at, {}))
        for at, (one, count) in enumerate(zip(asked, counts, strict=True))
    ]


def _spent(scope: Scope) -> str:
    return f"""SELECT at, spent, count(*) FROM (
        SELECT width_bucket(paid_at, %(edges)s::timestamptz[]) AS at, member_id, sum(charged_minor)::bigint AS spent
        FROM placed_order o
        WHERE {scope.orders} AND currency = %(currency)s AND charged_minor > 0
            AND paid_at >= %(begin)s AND paid_at < %(end)s
        GROUP BY 1, 2
    ) AS by_member GROUP BY 1, 2"""  # noqa: S608


async def purchases(reading: Reading, window: Window, scope: Scope, currency: str) -> Sequence[Purchase]:
    """What each member spent on each day of the window on which the member bought."""
    edges = [*_midnights(window), window.end]
    parameters = {**scope.parameters, "edges": edges, "begin": window.start, "end": window.end, "currency": currency}
    query = f"""SELECT member_id, width_bucket(paid_at, %(edges)s::timestamptz[]) - 1, sum(charged_minor)::bigint
        FROM placed_order o
        WHERE {scope.orders} AND currency = %(currency)s AND charged_minor > 0
            AND paid_at >= %(begin)s AND paid_at < %(end)s
        GROUP BY 1, 2 ORDER BY 1, 2"""  # noqa: S608
    rows: list[Any] = await reading.rows(query, parameters)
    return [Purchase(member, window.first_day + timedelta(days=day), spent_minor) for member, day, spent_minor in rows]


def _midnights(window: Window) -> list[datetime]:
    return [Window(window.first_day + ahead * DAY, window.last_day, window.zone).start for ahead in range(window.days)]
