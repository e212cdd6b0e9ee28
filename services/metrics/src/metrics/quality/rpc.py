"""Content quality over gRPC."""

from __future__ import annotations

from typing import Any, Final

from lyceum.metrics.v1 import quality_pb2
from metrics import parsing
from metrics.answering import Answering
from metrics.domain.windows import day_of, ending
from metrics.quality import queries
from metrics.quality.domain import FORMULA_QUALITY, ORDERS, Prior, Quality
from metrics.reading import Look, Reading
from metrics.shaping import window_message
from servicekit.policy import OPERATORS, Policies, Policy

MAX_ROWS, DEFAULT_ROWS = 200, 20
READS: Final = ("journeys", "registry")

POLICIES: Final[Policies] = {
    "GetContentQuality": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=READS),
}


class QualityRpcs:
    """How good content is, by those who met it."""

    def __init__(self, look: Look, prior_ratings: float) -> None:
        self._answering = Answering(look)
        self._prior_ratings = prior_ratings

    async def GetContentQuality(
        self, request: quality_pb2.GetContentQualityRequest, context: Any
    ) -> quality_pb2.GetContentQualityResponse:
        """The contents that come first."""
        as_of, scope = parsing.as_of(request), parsing.scope(request)
        order = parsing.one_of(request, "order", ORDERS, "rating")
        limit = parsing.count(request, "limit", most=MAX_ROWS, default=DEFAULT_ROWS)

        async def compute(reading: Reading) -> quality_pb2.GetContentQualityResponse:
            window = ending(day_of(as_of, reading.zone), 1, reading.zone)
            prior = await queries.prior(reading, window.end, self._prior_ratings)
            found = await queries.qualities(reading, window.end, scope, prior, order, limit)
            return quality_pb2.GetContentQualityResponse(
                definition=FORMULA_QUALITY,
                contents=[_quality(one, prior) for one in found],
                prior_mean=prior.mean,
                prior_ratings=prior.ratings,
                window=window_message(window),
            )

        return await self._answering.answer(request, as_of, READS, compute)


def _quality(one: Quality, prior: Prior) -> quality_pb2.ContentQuality:
    return quality_pb2.ContentQuality(
        content_id=one.content_id,
        title=one.title,
        viewers=one.viewers,
        completed=one.completed,
        completion=one.completion,
        ratings=one.ratings,
        mean_rating=one.mean_rating,
        bayesian_rating=prior.rating(one.rating_total, one.ratings),
    )
