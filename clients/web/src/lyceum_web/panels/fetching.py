"""Asks the gateway for all that the panels of a page want: side by side, bounded, each question once.

A panel whose question fails shows that in its place; the others stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from lyceum_web.bounds import CALLS_PER_PAGE, PANEL_CALLS_AT_ONCE
from lyceum_web.errors import GatewayTrouble, Trouble
from lyceum_web.gateway.answers import Answer
from lyceum_web.gateway.client import Parameters
from lyceum_web.panels.look import Look
from lyceum_web.panels.own_activity import PATH as OWN_ACTIVITY
from lyceum_web.panels.panel import Panel, Query, View
from lyceum_web.panels.roles import OPERATORS

Ask = Callable[[str, Parameters], Awaitable[Answer]]
"""Asks the gateway in the reader's name: path, parameters. Raises `NotAdmitted` and `GatewayTrouble`."""

Given = TypeVar("Given")


class Reader(Protocol):
    """Who looks at the page."""

    @property
    def role(self) -> str:
        """As the access token names it."""

    @property
    def member_id(self) -> str:
        """The reader's own id."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel with what it shows, or with what went wrong."""

    panel: Panel
    view: View | None
    trouble: GatewayTrouble | None = None


class Fetching:
    """The questions of one page, as of `moment` (empty: now)."""

    def __init__(self, ask: Ask, look: Look, reader: Reader, moment: str) -> None:
        self._ask = ask
        self._look = look
        self._reader = reader
        self._moment = moment
        self._turns = asyncio.Semaphore(PANEL_CALLS_AT_ONCE)
        self._asked: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    async def shown(self, panels: Sequence[Panel]) -> list[Shown]:
        """All panels, in their order. Raises `NotAdmitted`: the token concerns the whole page."""
        found = await asyncio.gather(*map(self._shown, panels), return_exceptions=True)
        return [_given(one) for one in found]

    async def _shown(self, panel: Panel) -> Shown:
        try:
            answers = await self._answers(panel.queries(self._look))
            return Shown(panel, panel.view(self._look, answers))
        except GatewayTrouble as trouble:
            return Shown(panel, None, trouble)

    async def _answers(self, queries: Mapping[str, Query]) -> dict[str, Answer]:
        found = await asyncio.gather(*map(self._answer, queries.values()), return_exceptions=True)
        return {name: _given(one) for name, one in zip(queries, found, strict=True)}

    def _answer(self, query: Query) -> Awaitable[Answer]:
        parameters = {**query.parameters, **({"as_of": self._moment} if self._moment and query.dated else {})}
        if query.own and self._reader.role not in OPERATORS:
            parameters[query.own] = self._reader.member_id
        path = _path(query.path, self._reader.member_id)
        known = (path, repr(sorted(parameters.items())))
        if known not in self._asked:
            self._asked[known] = asyncio.ensure_future(self._in_turn(path, parameters))
        return self._asked[known]

    async def _in_turn(self, path: str, parameters: Parameters) -> Answer:
        if len(self._asked) > CALLS_PER_PAGE:
            raise GatewayTrouble(path, Trouble.LIMITED)
        async with self._turns:
            return await self._ask(path, parameters)


def _given(found: Given | BaseException) -> Given:
    """A result, once all have ended. Raises what came in its place."""
    if isinstance(found, BaseException):
        raise found
    return found


async def zone_of(ask: Ask, role: str, member_id: str) -> ZoneInfo:
    """The zone of the platform's days, as an answer tells it. Raises `NotAdmitted` and `GatewayTrouble`."""
    path = "/v1/metrics/activity" if role in OPERATORS else OWN_ACTIVITY
    answer = await ask(_path(path, member_id), {"window_days": 1})
    return answer.window("window").zone


def _path(template: str, member_id: str) -> str:
    return template.replace("{member_id}", quote(member_id, safe=""))
