"""RecoService over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lyceum.reco.v1 import reco_pb2, reco_pb2_grpc
from reco.application import answers
from reco.application.answers import Suggestion
from reco.application.live_factors import LiveFactors
from reco.projections.factors import FACTORS
from servicekit import validate
from servicekit.call import Call, current_call
from servicekit.times import freshness, stamp

DEFAULT_ITEMS, MAX_ITEMS = 10, 100
MAX_ID_CHARS = 200


class RecoServicer(reco_pb2_grpc.RecoServiceServicer):
    """Answers from the live factors; a call that carries a consistency token refreshes them first."""

    def __init__(self, factors: LiveFactors) -> None:
        self._factors = factors

    async def Recommend(self, request: reco_pb2.RecommendRequest, context: Any) -> reco_pb2.RecommendResponse:
        """For the caller, or for a named member if the caller's role allows it."""
        call = await self._entered()
        as_of, limit = _as_of(request), _limit(request.limit)
        found = answers.recommend(self._factors.pairs, _member(call, request.member_id), as_of, limit)
        return reco_pb2.RecommendResponse(
            items=_items(found),
            formula=answers.FORMULA_RECOMMEND,
            as_of=stamp(as_of or call.now),
            freshness=freshness((FACTORS.name, one) for one in self._factors.reached),
        )

    async def ListSimilar(self, request: reco_pb2.ListSimilarRequest, context: Any) -> reco_pb2.ListSimilarResponse:
        """Open to everybody."""
        call = await self._entered()
        as_of, limit = _as_of(request), _limit(request.limit)
        content_id = validate.text(request.content_id, "content_id", max_chars=MAX_ID_CHARS)
        found = answers.similar(self._factors.pairs, content_id, as_of, limit)
        return reco_pb2.ListSimilarResponse(
            items=_items(found),
            formula=answers.FORMULA_SIMILAR,
            as_of=stamp(as_of or call.now),
            freshness=freshness((FACTORS.name, one) for one in self._factors.reached),
        )

    async def ListPopular(self, request: reco_pb2.ListPopularRequest, context: Any) -> reco_pb2.ListPopularResponse:
        """Open to everybody."""
        call = await self._entered()
        as_of, limit = _as_of(request), _limit(request.limit)
        found = answers.popular(self._factors.pairs, as_of, limit)
        return reco_pb2.ListPopularResponse(
            items=_items(found),
            formula=answers.FORMULA_POPULAR,
            as_of=stamp(as_of or call.now),
            freshness=freshness((FACTORS.name, one) for one in self._factors.reached),
        )

    async def _entered(self) -> Call:
        call = current_call()
        await self._factors.ready()
        if "x-lyceum-after" in call.metadata:
            await self._factors.refresh()
        return call


def _member(call: Call, member_id: str) -> str:
    return validate.text(member_id or call.require_caller().member_id, "member_id", max_chars=MAX_ID_CHARS)


def _limit(value: int) -> int:
    return DEFAULT_ITEMS if value == 0 else validate.between(value, "limit", 1, MAX_ITEMS)


def _as_of(request: Any) -> datetime | None:
    return validate.utc(request.as_of, "as_of") if request.HasField("as_of") else None


def _items(found: Sequence[Suggestion]) -> list[reco_pb2.RecommendedItem]:
    return [
        reco_pb2.RecommendedItem(content_id=one.content_id, title=one.title, score=one.score, reason=one.reason)
        for one in found
    ]
