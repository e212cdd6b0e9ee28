"""What members made of content, read from the tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from metrics.quality.domain import Order, Prior, Quality
from metrics.reading import Reading
from metrics.scope import Scope


async def prior(reading: Reading, before: datetime, ratings: float) -> Prior:
    """The mean of all ratings given before an instant, weighing `ratings`."""
    (mean,) = await reading.row(
        "SELECT coalesce(avg(rating), 0)::float8 FROM member_content WHERE rated_at < %s", [before]
    )
    return Prior(mean, ratings)


async def qualities(
    reading: Reading, before: datetime, scope: Scope, known: Prior, order: Order, limit: int
) -> list[Quality]:
    """The contents that come first, as of an instant."""
    parameters = {
        **scope.parameters,
        "before": before,
        "mean": known.mean,
        "ratings": known.ratings,
        "limit": limit,
    }
    return [Quality(*row) for row in await reading.rows(_qualities(scope, order), parameters)]


def _qualities(scope: Scope, order: Order) -> str:
    return f"""SELECT content_id, title, viewers, completed, ratings, total FROM (
        SELECT content_id, min(title) AS title,
            count(*) FILTER (WHERE viewed_at < %(before)s OR completed_at < %(before)s) AS viewers,
            count(*) FILTER (WHERE completed_at < %(before)s) AS completed,
            count(rating) FILTER (WHERE rated_at < %(before)s) AS ratings,
            coalesce(sum(rating) FILTER (WHERE rated_at < %(before)s), 0)::bigint AS total
        FROM {scope.journeys} j GROUP BY content_id
    ) AS content ORDER BY {_ORDER[order]} DESC, viewers DESC, content_id LIMIT %(limit)s"""  # noqa: S608


_ORDER: Mapping[Order, str] = {
    "rating": "CASE WHEN %(mean)s > 0 AND %(ratings)s + ratings > 0"
    " THEN (%(ratings)s * %(mean)s + total) / (%(ratings)s + ratings) ELSE 0 END",
    "completion": "completed::float8 / greatest(viewers, 1)",
    "viewers": "viewers",
}
