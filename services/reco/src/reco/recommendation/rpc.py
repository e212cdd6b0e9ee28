"""Recommendations over gRPC."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from lyceum.common.v1 import common_pb2
from lyceum.reco.v1 import reco_pb2 as pb
from reco.impression.domain import Impression
from reco.recommendation import parsing, shaping
from reco.recommendation.application import answers
from reco.recommendation.application.answers import Suggestion, Wish
from reco.recommendation.application.experiments import Experiment
from reco.recommendation.application.live_factors import LiveFactors
from reco.recommendation.application.placing import Rules
from reco.recommendation.projections import ACCESS, FACTORS, PREFERRING, SHOWING
from reco.recommendation.queries import OfMember, Outcomes
from servicekit.call import Call, current_call
from servicekit.policy import OPERATORS, Policies, Policy
from servicekit.times import freshness, stamp

_PERSONAL: Final = (FACTORS.name, PREFERRING.name, ACCESS.name)
POLICIES: Final[Policies] = {
    "Recommend": Policy("query", OPERATORS, own="member_id", reads=_PERSONAL),
    "ListSimilar": Policy("query", anyone=True, reads=(FACTORS.name,)),
    "ListPopular": Policy("query", anyone=True, reads=(FACTORS.name,)),
    "ListTrending": Policy("query", anyone=True, reads=(FACTORS.name,)),
    "ListContinueLearning": Policy("query", reads=(FACTORS.name, PREFERRING.name)),
    "ListSimilarMembers": Policy("query", OPERATORS, own="member_id", reads=(FACTORS.name,)),
    "ListOutcomes": Policy("query", OPERATORS, reads=(FACTORS.name, SHOWING.name)),
    "GetPreferences": Policy("query", reads=(PREFERRING.name,)),
    "ListSignals": Policy("query", reads=(FACTORS.name, PREFERRING.name)),
}
MAX_HIDDEN_SHOWN = 1_000
MIN_SIMILAR_MEMBERS = 20
"""So many members must share a taste before it is told to anybody: fewer could be recognised."""
MAX_SIMILAR_MEMBERS = 100
NEWEST_PAIRS = 1_000
"""Of a member's pairs, the newest so many are looked at for what the member began."""


class RecommendationRpcs:
    """Answers from the copy in memory; a call that carries a consistency token refreshes it first."""

    def __init__(
        self,
        factors: LiveFactors,
        of_member: OfMember,
        outcomes: Outcomes,
        rules: Rules,
        session: timedelta,
        kept: timedelta,
        experiment: Experiment | None,
        record: Callable[[Impression], None],
        version: Callable[[], str],
        rng: random.Random,
    ) -> None:
        self._factors, self._of_member, self._outcomes = factors, of_member, outcomes
        self._rules, self._session, self._kept, self._experiment = rules, session, kept, experiment
        self._record, self._version, self._rng = record, version, rng

    async def Recommend(self, request: pb.RecommendRequest, context: Any) -> pb.RecommendResponse:
        """For the caller, or for a named member if the caller's role allows it."""
        call = await self._entered()
        caller = call.require_caller().member_id
        member_id, slot = parsing.member_id(request.member_id, caller), parsing.slot(request.slot)
        asked, as_of = parsing.method(request.method), parsing.as_of(request)
        arm = self._experiment.arm(member_id) if self._experiment and not asked and as_of is None else ""
        copy = self._factors.copy
        personal = copy.preference(member_id).personalised
        method = answers.method_for(asked or arm or "hybrid", personal=personal)
        answers.check_looks_back(method, as_of)
        repeated = await self._of_member.shown(member_id, slot, call.now - self._session) if not asked else ()
        wish = Wish(
            member_id=member_id,
            method=method,
            limit=parsing.limit(request.limit),
            now=call.now,
            as_of=as_of,
            filters=parsing.filters(request),
            repeated=repeated,
        )
        found = answers.recommend(copy, wish, self._rules, self._rng)
        shown_to_caller = member_id == caller and as_of is None
        answer = pb.RecommendResponse(
            items=shaping.items(copy, found, await self._whys(member_id, found)),
            formula=answers.FORMULA_LEARNED if method not in answers.EXACT else _EXACT_FORMULAS[method],
            as_of=stamp(as_of or call.now),
            freshness=self._freshness(*_PERSONAL),
            answer_id=str(uuid.uuid4()) if shown_to_caller else "",
            method=method,
            model_version=self._version() if method not in answers.EXACT else "",
            personalised=personal and method != "popular",
            experiment=self._experiment.name if self._experiment and arm else "",
            arm=arm,
        )
        if shown_to_caller:
            self._record(shaping.impression(answer, member_id, slot, call.now, found))
        return answer

    async def ListSimilar(self, request: pb.ListSimilarRequest, context: Any) -> pb.ListSimilarResponse:
        """Open to everybody."""
        call = await self._entered()
        as_of, limit = parsing.as_of(request), parsing.limit(request.limit)
        copy = self._factors.copy
        found = answers.similar(copy, parsing.content_id(request.content_id), as_of, limit)
        return pb.ListSimilarResponse(
            items=shaping.items(copy, found, {}),
            formula=answers.FORMULA_SIMILAR,
            as_of=stamp(as_of or call.now),
            freshness=self._freshness(FACTORS.name),
        )

    async def ListPopular(self, request: pb.ListPopularRequest, context: Any) -> pb.ListPopularResponse:
        """Open to everybody."""
        call = await self._entered()
        as_of, limit = parsing.as_of(request), parsing.limit(request.limit)
        copy = self._factors.copy
        return pb.ListPopularResponse(
            items=shaping.items(copy, answers.popular(copy, as_of, limit), {}),
            formula=answers.FORMULA_POPULAR,
            as_of=stamp(as_of or call.now),
            freshness=self._freshness(FACTORS.name),
        )

    async def ListTrending(self, request: pb.ListTrendingRequest, context: Any) -> pb.ListTrendingResponse:
        """Open to everybody."""
        call = await self._entered()
        as_of, limit = parsing.as_of(request) or call.now, parsing.limit(request.limit)
        half_life_us, scope = parsing.half_life_us(request.half_life_hours), parsing.scope(request)
        copy = self._factors.copy
        return pb.ListTrendingResponse(
            items=shaping.items(copy, answers.trending(copy, as_of, half_life_us, scope, limit), {}),
            formula=answers.FORMULA_TRENDING,
            as_of=stamp(as_of),
            freshness=self._freshness(FACTORS.name),
        )

    async def ListContinueLearning(
        self, request: pb.ListContinueLearningRequest, context: Any
    ) -> pb.ListContinueLearningResponse:
        """The caller's own."""
        call = await self._entered()
        limit = parsing.limit(request.limit)
        rows = await self._of_member.newest_pairs(call.require_caller().member_id, NEWEST_PAIRS)
        return pb.ListContinueLearningResponse(
            items=shaping.begun(self._factors.copy, rows)[:limit],
            freshness=self._freshness(FACTORS.name, PREFERRING.name),
        )

    async def ListSimilarMembers(
        self, request: pb.ListSimilarMembersRequest, context: Any
    ) -> pb.ListSimilarMembersResponse:
        """Ids for operators; for the member, what many such members like."""
        call = await self._entered()
        caller = call.require_caller()
        member_id, limit = parsing.member_id(request.member_id, caller.member_id), parsing.limit(request.limit)
        copy = self._factors.copy
        found = answers.similar_members(copy, member_id, MAX_SIMILAR_MEMBERS)
        named = found[:limit] if caller.role in OPERATORS else []
        many = len(found) >= MIN_SIMILAR_MEMBERS
        return pb.ListSimilarMembersResponse(
            members=[pb.SimilarMember(member_id=one, similarity=value) for one, value in named],
            taste=shaping.taste(copy, [one for one, _ in found]) if many else [],
            formula=answers.FORMULA_MEMBERS,
            freshness=self._freshness(FACTORS.name),
        )

    async def ListOutcomes(self, request: pb.ListOutcomesRequest, context: Any) -> pb.ListOutcomesResponse:
        """For operators."""
        call = await self._entered()
        start, end = parsing.window(request, call.now, self._kept)
        return pb.ListOutcomesResponse(
            outcomes=[shaping.outcome(one) for one in await self._outcomes.between(start, end)],
            formula=answers.FORMULA_OUTCOMES,
            freshness=self._freshness(FACTORS.name),
        )

    async def GetPreferences(self, request: pb.GetPreferencesRequest, context: Any) -> pb.GetPreferencesResponse:
        """The caller's own."""
        call = await self._entered()
        member_id, copy = call.require_caller().member_id, self._factors.copy
        chosen = copy.preference(member_id)
        return pb.GetPreferencesResponse(
            personalised=chosen.personalised,
            interests=pb.Interests(tags=chosen.interests or ()),
            hidden=shaping.hidden(copy, member_id, MAX_HIDDEN_SHOWN),
            freshness=self._freshness(PREFERRING.name),
        )

    async def ListSignals(self, request: pb.ListSignalsRequest, context: Any) -> pb.ListSignalsResponse:
        """The caller's own."""
        call = await self._entered()
        limit = parsing.limit(request.limit)
        rows = await self._of_member.newest_pairs(call.require_caller().member_id, limit)
        return pb.ListSignalsResponse(
            signals=shaping.signals(self._factors.copy, rows),
            freshness=self._freshness(FACTORS.name, PREFERRING.name),
        )

    async def _entered(self) -> Call:
        call = current_call()
        await self._factors.ready()
        if "x-lyceum-after" in call.metadata:
            await self._factors.refresh()
        return call

    async def _whys(self, member_id: str, found: list[Suggestion]) -> dict[str, str]:
        """Why contents are the reason of others: the member finished or bought them."""
        causes = {one.because for one in found if one.because}
        rows = await self._of_member.pairs(member_id, causes) if causes else ()
        return {
            row.content_id: "finished" if row.completed_at else "bought"
            for row in rows
            if row.completed_at or row.purchased_at
        }

    def _freshness(self, *projections: str) -> common_pb2.Freshness:
        return freshness(self._factors.reached(*projections))


_EXACT_FORMULAS: Final = {"items": answers.FORMULA_ITEMS, "popular": answers.FORMULA_POPULAR}
