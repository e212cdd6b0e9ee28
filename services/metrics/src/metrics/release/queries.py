"""The exact numbers behind the releases, with every member's contribution bounded in SQL; and the position of the data.

All SQL about members stands here. What one member adds is cut to the bounds that the question declares before anything
is summed, so nothing leaves the database that one member could move further than the noise covers. Operators' accounts
are not members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, assert_never

from eventfold.errors import NotFound, NotPermitted, WrongState
from metrics.domain.kinds import INTERACTIONS_SQL
from metrics.domain.windows import Window, ending, midnight
from metrics.projections.registry import COMMUNITY_ROLES
from metrics.reading import Look, Reading
from metrics.release.domain.benchmark import CREATORS, MIDDLE_RATING, NUMBERS, Benchmark
from metrics.release.domain.drawing import Sums
from metrics.release.domain.questions import Question
from metrics.release.domain.release import Source
from metrics.release.domain.retention import LAST_ACTIVE, NEVER, Retention
from metrics.release.domain.trend import ACTIVE_MEMBERS, PARTITIONS_AT_MOST, Trend

READS: Final[Mapping[str, tuple[str, ...]]] = {
    Benchmark.kind: ("activity", "journeys", "orders", "registry"),
    Retention.kind: ("activity", "registry"),
    Trend.kind: ("activity", "registry"),
}
"""The projections behind each kind of question."""
MAX_PARTITIONS: Final = 5_000
"""Tags or categories of a trend. Which content has which is public, so to refuse more tells nothing."""

_DID: Final = f"({INTERACTIONS_SQL})"
_OF_CATEGORY: Final = "(SELECT d.* FROM content c JOIN member_content_day d USING (content_id) WHERE {condition})"

# One row for each active member, interactions cut to the bound: l0 = 1, linf = 1.
_ACTIVE: Final = f"""SELECT count(*), coalesce(sum(least(greatest(interactions, 0), %(interactions)s)), 0)::bigint
FROM (SELECT sum{_DID}::bigint AS interactions
      FROM {{days}} d JOIN member m USING (member_id)
      WHERE d.day BETWEEN %(first)s AND %(last)s AND m.role = ANY(%(roles)s)
      GROUP BY d.member_id) AS one"""  # noqa: S608 - declared columns

# One row for each active member, creators cut to the bound.
_AUDIENCES: Final = """SELECT coalesce(sum(least(creators, %(audiences)s)), 0)::bigint
FROM (SELECT count(DISTINCT c.creator_id) AS creators
      FROM member_content_day d JOIN content c USING (content_id) JOIN member m USING (member_id)
      WHERE d.day BETWEEN %(first)s AND %(last)s AND m.role = ANY(%(roles)s) AND c.creator_id <> '' AND {condition}
      GROUP BY d.member_id) AS one"""

# One row for each payer; each member's sum is cut to the bound, and amounts in other currencies are left out.
_PAYERS: Final = """SELECT count(*), coalesce(sum(least(greatest(spend, 0), %(spend_minor)s)), 0)::bigint
FROM (SELECT coalesce(sum(o.charged_minor), 0) AS spend
      FROM placed_order o JOIN member m USING (member_id)
      WHERE o.paid_at >= %(start)s AND o.paid_at < %(end)s AND o.charged_minor > 0 AND m.role = ANY(%(roles)s)
        AND (%(currency)s = '' OR o.currency = %(currency)s)
        AND (%(category)s = '' OR EXISTS (SELECT FROM content c WHERE c.content_id = o.product_id AND {condition}))
      GROUP BY o.member_id) AS one"""

# Each member's newest ratings, so many of them, each as its distance from the middle, cut to the bound.
_RATINGS: Final = """SELECT count(*), coalesce(sum(greatest(%(low)s, least(%(high)s, rating - %(middle)s))), 0)::bigint
FROM (SELECT j.rating, row_number() OVER (PARTITION BY j.member_id ORDER BY j.rated_at DESC, j.content_id) AS place
      FROM member_content j JOIN member m USING (member_id)
      WHERE j.rated_at >= %(start)s AND j.rated_at < %(end)s AND m.role = ANY(%(roles)s)
        AND (%(category)s = '' OR EXISTS (SELECT FROM content c WHERE c.content_id = j.content_id AND {condition}))
     ) AS one WHERE place <= %(ratings)s"""

# Public, as the works are.
_CREATORS: Final = """SELECT count(DISTINCT c.creator_id) FROM content c
WHERE c.published_at < %(end)s AND c.creator_id <> '' AND {condition}"""

# Each member in one place, that of the last period with activity: l0 = 1, linf = 1. Days of registration are told by
# the first instants of the zone's days, as everywhere.
_LAST_ACTIVE: Final = """SELECT coalesce(period::text, %(never)s), count(*)
FROM (SELECT max((d.day - began.day) / %(period_days)s::int) AS period
      FROM {began} AS began
      LEFT JOIN {days} d ON d.member_id = began.member_id
        AND d.day BETWEEN began.day AND began.day + %(period_days)s::int * %(periods)s::int - 1
      GROUP BY began.member_id) AS one
GROUP BY 1"""
_REGISTERED: Final = """(SELECT member_id, %(first)s::date + width_bucket(registered_at, %(edges)s::timestamptz[]) - 1
AS day FROM member WHERE role = ANY(%(roles)s) AND registered_at >= %(start)s AND registered_at < %(end)s)"""
_FIRST_ACTIVE: Final = """(SELECT d.member_id, min(d.day) AS day
FROM {days} d JOIN member m USING (member_id) WHERE m.role = ANY(%(roles)s)
GROUP BY d.member_id HAVING min(d.day) BETWEEN %(first)s AND %(last)s)"""

# Each member in the partitions with most of what the member did, so many of them: l0 partitions, linf = 1. Where two
# are alike, a hash of member and partition decides: always the same, and no partition is preferred by its name.
_PARTITIONS: Final = f"""SELECT partition, count(*) FROM (
    SELECT partition, row_number() OVER (
        PARTITION BY member_id ORDER BY did DESC, md5(member_id || ' ' || partition), partition COLLATE "C") AS place
    FROM (SELECT d.member_id, p.partition, sum({_DID} + purchases) AS did
          FROM member_content_day d JOIN content c USING (content_id) JOIN member m USING (member_id),
          LATERAL {{partitions}} AS p(partition)
          WHERE d.day BETWEEN %(first)s AND %(last)s AND m.role = ANY(%(roles)s)
          GROUP BY 1, 2) AS of_member
) AS ranked WHERE place <= %(partitions_at_most)s GROUP BY partition ORDER BY partition COLLATE "C"
LIMIT %(limit)s"""  # noqa: S608 - declared columns
_PARTITIONS_OF: Final = {
    "tag": "(SELECT DISTINCT jsonb_array_elements_text(c.tags))",
    "category": "(SELECT c.category WHERE c.category IS NOT NULL)",
}

_KNOWN_CATEGORY: Final = "SELECT count(*), count(*) FILTER (WHERE creator_id = %s) FROM content WHERE category = %s"


@dataclass(frozen=True, slots=True)
class Looked:
    """The numbers that a question needs and where the data stood, in one snapshot."""

    sums: Sums
    sources: tuple[Source, ...]


class Tables:
    """Reads the metrics' tables."""

    def __init__(self, look: Look) -> None:
        self._look = look

    async def sources(self, question: Question) -> tuple[Source, ...]:
        """How far the projections behind the question have read."""
        async with self._look() as reading:
            return await _sources(reading, question)

    async def look(self, question: Question) -> Looked:
        """The numbers, each member within the bounds."""
        async with self._look() as reading:
            return Looked(await _sums(reading, question), await _sources(reading, question))

    async def require_category(self, category: str, creator_id: str) -> None:
        """Raise `NotFound` unless content of the category was published, and `NotPermitted` if a `creator_id` is given
        and none of it is theirs."""
        async with self._look() as reading:
            contents, own = await reading.row(_KNOWN_CATEGORY, [creator_id, category])
        if not contents:
            raise NotFound("there is no such category", field="category")
        if creator_id and not own:
            raise NotPermitted("creators see the categories in which they publish", field="category")


async def _sources(reading: Reading, question: Question) -> tuple[Source, ...]:
    found = await reading.sources(READS[question.kind])
    return tuple(Source(one.projection, one.topic, one.partition, one.seq) for one in found)


async def _sums(reading: Reading, question: Question) -> Sums:
    match question:
        case Benchmark():
            return await _benchmark(reading, question)
        case Retention():
            return await _retention(reading, question)
        case Trend():
            return await _trend(reading, question)
        case _:
            assert_never(question)


async def _benchmark(reading: Reading, question: Benchmark) -> Sums:
    condition = "c.category = %(category)s" if question.category else "true"
    days = _OF_CATEGORY.format(condition=condition) if question.category else "member_day"
    values = _of_window(ending(question.last_day, question.window_days, reading.zone)) | {
        "category": question.category,
        "currency": question.currency,
        "interactions": NUMBERS["interactions"].high,
        "audiences": NUMBERS["audiences"].high,
        "spend_minor": NUMBERS["spend_minor"].high,
        "ratings": NUMBERS["ratings"].per_partition,
        "low": NUMBERS["rating_distances"].low,
        "high": NUMBERS["rating_distances"].high,
        "middle": MIDDLE_RATING,
    }
    active, interactions = await reading.row(_ACTIVE.format(days=days), values)
    (audiences,) = await reading.row(_AUDIENCES.format(condition=condition), values)
    payers, spend_minor = await reading.row(_PAYERS.format(condition=condition), values)
    ratings, distances = await reading.row(_RATINGS.format(condition=condition), values)
    (creators,) = await reading.row(_CREATORS.format(condition=condition), values)
    numbers = {
        "active_members": active,
        "audiences": audiences,
        "interactions": interactions,
        "payers": payers,
        "ratings": ratings,
        "rating_distances": distances,
        "spend_minor": spend_minor,
    }
    return Sums({name: [("", number)] for name, number in numbers.items()}, {CREATORS: creators})


async def _retention(reading: Reading, question: Retention) -> Sums:
    window = Window(question.first_day, question.last_day, reading.zone)
    days = _OF_CATEGORY.format(condition="c.creator_id = %(creator_id)s") if question.creator_id else "member_day"
    began = _FIRST_ACTIVE.format(days=days) if question.creator_id else _REGISTERED
    values = _of_window(window) | {
        "edges": [midnight(question.first_day + timedelta(days=n), reading.zone) for n in range(window.days)],
        "creator_id": question.creator_id,
        "period_days": question.period_days,
        "periods": question.periods,
        "never": NEVER,
    }
    return Sums({LAST_ACTIVE: await reading.rows(_LAST_ACTIVE.format(began=began, days=days), values)})


async def _trend(reading: Reading, question: Trend) -> Sums:
    values = _of_window(ending(question.last_day, question.window_days, reading.zone)) | {
        "partitions_at_most": PARTITIONS_AT_MOST,
        "limit": MAX_PARTITIONS + 1,
    }
    query = _PARTITIONS.format(partitions=_PARTITIONS_OF[question.dimension])
    found = await reading.rows(query, values)
    if len(found) > MAX_PARTITIONS:
        raise WrongState(f"there are more than {MAX_PARTITIONS} of them", field="dimension")
    return Sums({ACTIVE_MEMBERS: found})


def _of_window(window: Window) -> dict[str, Any]:
    return {
        "first": window.first_day,
        "last": window.last_day,
        "start": window.start,
        "end": window.end,
        "roles": list(COMMUNITY_ROLES),
    }
