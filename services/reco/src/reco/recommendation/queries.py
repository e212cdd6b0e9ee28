"""Questions about one member or content that the tables' indexes answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from eventfold import Pool
from reco.recommendation.projections import PairRow

PAIRS_SELECTED: Final = f"SELECT {', '.join(PairRow._fields)} FROM interaction "  # noqa: S608 - declared names
_NEWEST: Final = PAIRS_SELECTED + "WHERE member_id = %s ORDER BY last_at DESC, content_id LIMIT %s"
_OF: Final = PAIRS_SELECTED + "WHERE member_id = %s AND content_id = ANY(%s)"
_SHOWN: Final = """SELECT DISTINCT item ->> 'content_id' FROM impression, jsonb_array_elements(items) AS item
WHERE member_id = %s AND slot = %s AND occurred_at > %s"""
_OUTCOMES: Final = """SELECT slot, method, experiment, arm, count(*), sum(shown)::bigint, sum(taken)::bigint
FROM impression AS i CROSS JOIN LATERAL (
    SELECT count(*) AS shown, count(pair.content_id) AS taken
    FROM jsonb_array_elements(i.items) AS item LEFT JOIN interaction AS pair
    ON pair.member_id = i.member_id AND pair.content_id = item ->> 'content_id'
    AND pair.first_at >= i.occurred_at AND pair.first_at < i.occurred_at + interval '24 hours'
) AS one WHERE i.occurred_at >= %s AND i.occurred_at < %s
GROUP BY slot, method, experiment, arm ORDER BY slot, method, experiment, arm"""
_PUBLISHED: Final = "SELECT 1 FROM content_item WHERE content_id = %s"


class OfMember:
    """Questions about one member that the tables' indexes answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def newest_pairs(self, member_id: str, limit: int) -> Sequence[PairRow]:
        """The member's pairs, by newest signal first."""
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_NEWEST.encode(), [member_id, limit])).fetchall()
        return [PairRow._make(row) for row in rows]

    async def pairs(self, member_id: str, content_ids: Collection[str]) -> Sequence[PairRow]:
        """The member's pairs with these contents."""
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_OF.encode(), [member_id, [*content_ids]])).fetchall()
        return [PairRow._make(row) for row in rows]

    async def shown(self, member_id: str, slot: str, after: datetime) -> Collection[str]:
        """Contents that the slot has shown the member since `after`, as far as impressions have been folded."""
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_SHOWN, [member_id, slot, after])).fetchall()
        return {row[0] for row in rows}


class Outcome(NamedTuple):
    """What members took out of what was shown; `experiment` and `arm` are None where there was no experiment."""

    slot: str
    method: str
    experiment: str | None
    arm: str | None
    answers: int
    shown: int
    taken: int


class Outcomes:
    """Joins impressions with what followed them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def between(self, start: datetime, end: datetime) -> Sequence[Outcome]:
        """Of the answers given from `start` on and before `end`, as far as they have been folded."""
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_OUTCOMES, [start, end])).fetchall()
        return [Outcome._make(row) for row in rows]


class Published:
    """Which content there is."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def has(self, content_id: str) -> bool:
        """Whether content of this id was published, as far as the catalog's events have been folded."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_PUBLISHED, [content_id])).fetchone()
        return row is not None
