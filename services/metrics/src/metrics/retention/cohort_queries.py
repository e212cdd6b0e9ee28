"""Cohorts, counted in the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from metrics.domain.periods import NUMBER_SQL, Period, Periods
from metrics.reading import Reading
from metrics.retention.domain.cohorts import Bracket, Clock, Counted, Measure, Money, Start
from metrics.scope import Scope

HOURS_OF: Final[Mapping[Period, int]] = {"day": 24, "week": 168}
"""Of an interval by a member's own clock."""
SECONDS_PER_HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class Asked:
    """Cohorts of `periods` by `start`, and how they are followed. See `metrics.retention.domain.cohorts`."""

    periods: Periods
    start: Start
    clock: Clock
    measure: Measure
    brackets: Sequence[Bracket]
    scope: Scope
    currency: str

    @property
    def parameters(self) -> dict[str, Any]:
        """For all queries below."""
        return {
            **self.scope.parameters,
            "edges": self.periods.edges,
            "end": self.periods.window.end,
            "from": self.periods.window.first_day,
            "to": self.periods.last_day,
            "number": self.periods.first,
            "closed": self.periods.closed,
            "length_s": HOURS_OF.get(self.periods.period, 0) * SECONDS_PER_HOUR,
            "firsts": [bracket.first for bracket in self.brackets],
            "lasts": [bracket.last for bracket in self.brackets],
            "currency": self.currency,
        }

    def interval_of(self, instant: str) -> str:
        """The number of the interval in which an instant lies, for a member in `begun`, named `b`."""
        if self.clock == "member":
            return f"floor(extract(epoch FROM {instant} - b.at) / %(length_s)s)::int"
        return f"width_bucket({instant}, %(edges)s::timestamptz[]) - 1 + %(number)s - b.cohort"

    @property
    def begun(self) -> str:
        """The table expression `begun`: members with cohort, start and last closed interval (-1: none has)."""
        closed = self.interval_of("%(end)s::timestamptz") + " - 1" if self.clock == "member" else "%(closed)s - cohort"
        return f"""started AS ({self._started}), begun AS (
            SELECT member_id, at, cohort, greatest({closed.replace("b.", "")}, -1) AS closed FROM (
                SELECT s.member_id, s.at, width_bucket(s.at, %(edges)s::timestamptz[]) - 1 + %(number)s AS cohort
                FROM started s JOIN member m USING (member_id)
                WHERE m.role = ANY(%(roles)s)
                    AND s.at >= (%(edges)s::timestamptz[])[1] AND s.at < %(end)s
            ) AS numbered
        )"""  # noqa: S608 - all parts are declared here

    @property
    def _started(self) -> str:
        return {
            "registered": "SELECT member_id, registered_at AS at FROM member",
            "first_active": f"""SELECT member_id, min(least(first_at, long_first_at)) AS at
                FROM {self.scope.days} d GROUP BY member_id""",  # noqa: S608
            "first_paid": f"""SELECT o.member_id, min(o.paid_at) AS at FROM placed_order o
                WHERE {self.scope.orders} AND o.charged_minor > 0 AND o.paid_at IS NOT NULL GROUP BY o.member_id""",  # noqa: S608
        }[self.start]

    @property
    def seen(self) -> str:
        """The table expression `seen`: the intervals in which each member of `begun` was active."""
        if self.clock == "member":
            # Less than an interval lies between the instants of a pair, so these are all intervals that were touched.
            instants = "first_at, last_at, long_first_at, long_last_at"
            touched, number = f"CROSS JOIN LATERAL unnest(ARRAY[{instants}]) AS i(at)", self.interval_of("i.at")
        else:
            touched, number = "", f"{NUMBER_SQL[self.periods.period].format('d.day')} - b.cohort"
        return f"""seen AS (
            SELECT DISTINCT b.member_id, b.cohort, b.closed, {number} AS n
            FROM begun b JOIN {self.scope.days} d USING (member_id) {touched}
            WHERE d.day BETWEEN %(from)s AND %(to)s AND {number} >= 0
        )"""  # noqa: S608

    @property
    def retained(self) -> str:
        """Members retained by cohort and index of the bracket."""
        return f"WITH {self.begun}, {self.seen} {_RETAINED[self.measure]}"

    @property
    def learners(self) -> str:
        """Members who completed something, by cohort and index of the bracket."""
        source = "member_content" if self.scope.everything else self.scope.journeys
        return f"""WITH {self.begun}, done AS (
            SELECT b.member_id, b.cohort, b.closed, {self.interval_of("j.completed_at")} AS n
            FROM begun b JOIN {source} j USING (member_id)
            WHERE j.completed_at >= b.at AND j.completed_at < %(end)s
        ) SELECT cohort, br.at, count(DISTINCT member_id) FROM done {_IN_BRACKET}"""  # noqa: S608

    @property
    def money(self) -> str:
        """Payers and what they paid, by cohort and index of the bracket."""
        return f"""WITH {self.begun}, paid AS (
            SELECT b.member_id, b.cohort, b.closed, o.charged_minor, {self.interval_of("o.paid_at")} AS n
            FROM begun b JOIN placed_order o USING (member_id)
            WHERE {self.scope.orders} AND o.charged_minor > 0 AND o.currency = %(currency)s
                AND o.paid_at >= (%(edges)s::timestamptz[])[1] AND o.paid_at < %(end)s
        ) SELECT cohort, br.at, count(DISTINCT member_id), sum(charged_minor)::bigint FROM paid {_IN_BRACKET}"""  # noqa: S608


_BRACKETS = "unnest(%(firsts)s::int[], %(lasts)s::int[]) WITH ORDINALITY AS br(first, last, at)"
_IN_BRACKET = f"JOIN {_BRACKETS} ON n BETWEEN br.first AND br.last AND closed >= br.last GROUP BY 1, 2"
_ANY = f"SELECT cohort, br.at, count(DISTINCT member_id) FROM seen {_IN_BRACKET}"  # noqa: S608
_RETAINED: Mapping[Measure, str] = {
    "bounded": _ANY,
    "bracket": _ANY,
    "unbounded": f"""SELECT cohort, br.at, count(*)
        FROM (SELECT cohort, least(max(n), min(closed)) AS last FROM seen GROUP BY member_id, cohort) AS member_last
        JOIN {_BRACKETS} ON member_last.last >= br.last GROUP BY 1, 2""",  # noqa: S608
    "rolling": f"""SELECT cohort, br.at, count(*) FROM (
            SELECT cohort, least(count(*) FILTER (WHERE n = place) - 1, min(closed)) AS last FROM (
                SELECT *, row_number() OVER (PARTITION BY member_id ORDER BY n) - 1 AS place FROM seen
            ) AS placed GROUP BY member_id, cohort
        ) AS streak JOIN {_BRACKETS} ON streak.last >= br.last GROUP BY 1, 2""",  # noqa: S608
}


async def counted(reading: Reading, asked: Asked) -> Counted:
    """What the cohorts' tables are made of."""
    parameters = asked.parameters
    closed = f"WITH {asked.begun} SELECT cohort, closed, count(*) FROM begun GROUP BY 1, 2"  # noqa: S608
    return Counted(
        closed={(cohort, last): count for cohort, last, count in await reading.rows(closed, parameters)},
        retained=_indexed(await reading.rows(asked.retained, parameters)),
        learners=_indexed(await reading.rows(asked.learners, parameters)),
        money={
            (cohort, at - 1): Money(payers, revenue)
            for cohort, at, payers, revenue in await reading.rows(asked.money, parameters)
        },
    )


def _indexed(rows: Sequence[Any]) -> dict[tuple[int, int], int]:
    """PostgreSQL counts the brackets from 1."""
    return {(cohort, at - 1): count for cohort, at, count in rows}


async def panel(reading: Reading, asked: Asked, intervals: int) -> list[int]:
    """Survivors after intervals 0 to `intervals` of the members whose first intervals up to that one have closed: all
    of them, and then those active in the interval or later."""
    query = f"""WITH {asked.begun}, {asked.seen}, lasting AS (
        SELECT b.member_id, coalesce(max(s.n), 0) AS last FROM begun b LEFT JOIN seen s USING (member_id)
        WHERE b.closed >= %(intervals)s GROUP BY b.member_id
    ) SELECT t, count(l.member_id) FROM generate_series(0, %(intervals)s) t LEFT JOIN lasting l ON l.last >= t
    GROUP BY t ORDER BY t"""  # noqa: S608
    return [count for _, count in await reading.rows(query, {**asked.parameters, "intervals": intervals})]
