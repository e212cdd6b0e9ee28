"""Releases and budgets over gRPC."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from lyceum.metrics.v1 import release_pb2 as pb
from metrics.domain.windows import Window, day_of, ending
from metrics.release import parsing, shaping
from metrics.release.application import Releasing
from metrics.release.budgets import Budgets
from metrics.release.domain.questions import Question
from metrics.release.domain.trend import Trend
from metrics.release.orders import Answer, Order
from metrics.release.parsing import Asker
from metrics.release.projections import BUDGETS
from metrics.release.queries import READS, Tables
from metrics.release.settings import Terms, period_of
from metrics.shaping import window_message
from servicekit import validate
from servicekit.call import Call, current_call
from servicekit.policy import OPERATORS, Policies, Policy

POLICIES: Final[Policies] = {
    "GetPrivateBenchmark": Policy("query", ("creator", *OPERATORS), reads=READS["benchmark"]),
    "GetPublicTrend": Policy("query", reads=READS["trend"]),
    "GetReleasedRetention": Policy("query", ("creator", *OPERATORS), reads=READS["retention"]),
    "GetPrivacyBudget": Policy("query", OPERATORS, own="owner", own_form="{}", reads=(BUDGETS.name,)),
}


class ReleaseRpcs:
    """Each answer is a release: made once, and the same for all who ask the same while the data stands."""

    def __init__(self, releasing: Releasing, tables: Tables, budgets: Budgets, terms: Terms, zone: ZoneInfo) -> None:
        self._releasing = releasing
        self._tables = tables
        self._budgets = budgets
        self._terms = terms
        self._zone = zone

    async def GetPrivateBenchmark(
        self, request: pb.GetPrivateBenchmarkRequest, context: Any
    ) -> pb.GetPrivateBenchmarkResponse:
        asker = self._asker()
        question = parsing.benchmark(request, asker)
        if question.category:
            await self._tables.require_category(question.category, "" if asker.is_operator else asker.member_id)
        made = await self._released(request, question)
        window = ending(question.last_day, question.window_days, self._zone)
        return pb.GetPrivateBenchmarkResponse(release=made, window=window_message(window))

    async def GetPublicTrend(self, request: pb.GetPublicTrendRequest, context: Any) -> pb.GetPublicTrendResponse:
        question = parsing.trend(request, self._asker())
        made = await self._released(request, question)
        window = ending(question.last_day, question.window_days, self._zone)
        return pb.GetPublicTrendResponse(release=made, window=window_message(window))

    async def GetReleasedRetention(
        self, request: pb.GetReleasedRetentionRequest, context: Any
    ) -> pb.GetReleasedRetentionResponse:
        question = parsing.retention(request, self._asker())
        made = await self._released(request, question)
        return pb.GetReleasedRetentionResponse(
            release=made,
            period_days=question.period_days,
            periods=question.periods,
            window=window_message(Window(question.first_day, question.last_day, self._zone)),
        )

    async def GetPrivacyBudget(self, request: pb.GetPrivacyBudgetRequest, context: Any) -> pb.GetPrivacyBudgetResponse:
        call = current_call()
        call.require_caller().require("creator", *OPERATORS)
        period = parsing.period(request.period) or self._period(call)
        owner = validate.asked_id(request.owner, "owner")
        limit = validate.page_size(request.page_size)
        if owner:
            one = await self._budgets.of(owner, period)
            return pb.GetPrivacyBudgetResponse(budgets=[shaping.budget(owner, period, one, self._terms.grant)])
        rows, following = await self._budgets.page(period, request.page_token, limit)
        budgets = [shaping.budget(row.owner, row.period, shaping.ledger_of(row), self._terms.grant) for row in rows]
        return pb.GetPrivacyBudgetResponse(budgets=budgets, next_page_token=following)

    async def _released(self, request: Any, question: Question) -> pb.Release:
        """The release that answers the question, with the consistency token of its payment if this call paid."""
        call = current_call()
        order = await self._order(request, question, call)
        answer: Answer = await self._releasing.release(order, call.context(), lambda: call.deadline_s)
        if answer.position is not None:
            await call.recorded(answer.position)
        return shaping.release(answer, question)

    async def _order(self, request: Any, question: Question, call: Call) -> Order:
        period, asker = self._period(call), self._asker()
        ledger = await self._budgets.of(question.owner, period)
        accounting = (ledger.grant or self._terms.grant).accounting
        is_open = asker.is_open(question.owner)
        cost = parsing.loss(request, accounting, self._terms, is_open)
        return Order(
            question=question,
            accounting=accounting,
            loss=parsing.with_selection(cost, self._terms) if isinstance(question, Trend) else cost,
            period=period,
            grant=self._terms.grant,
            is_open=is_open,
            accepts_earlier=request.accept_earlier or is_open,
        )

    def _asker(self) -> Asker:
        call = current_call()
        caller = call.require_caller()
        return Asker(call.now, self._zone, caller.member_id, caller.role in OPERATORS)

    def _period(self, call: Call) -> str:
        return period_of(day_of(call.now, self._zone), self._terms.period)
