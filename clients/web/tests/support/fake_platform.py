"""A stand-in for the gateway and what is behind it: sessions as identity keeps them, and figures that tests set."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from fake_figures import AS_OF, figures, fresh, window

ACCESS_S = 600
PASSWORD = "password123"
FORMULA = "L(t) = p^t"

Reply = httpx.Response | Callable[[httpx.Request], httpx.Response]


def common(**figures: Any) -> dict[str, Any]:
    return {"formula": FORMULA, "window": window(), "as_of": AS_OF, "freshness": fresh(), **figures}


def community(members: int = 1000, payers: int = 100, events: int = 1_000_000) -> dict[str, dict[str, Any]]:
    """The answers of a community of this size, as the gateway would give them; of none at all, too."""
    per_member = events / members if members else 0.0
    revenue_minor = payers * 10_000
    return {
        **figures(members, payers, events),
        "/v1/metrics/overview": {
            **{key: value for key, value in common().items() if key not in ("formula", "window")},
            "members": str(members),
            "contents": "12",
            "interactions": {"view": str(events // 2), "like": str(events - events // 2)} if events else {},
            "orders_placed": str(payers + 1),
            "orders_paid": str(payers),
        },
        "/v1/metrics/activity": common(
            activity=per_member,
            activity_per_day=per_member / 30,
            weighted_activity=per_member * 2,
            interactions=str(events),
            members=str(members),
            weights={"view": 1.0},
        ),
        "/v1/metrics/retention": common(
            p=0.5 if events else 0.0,
            exposed=str(events),
            survived=str(events // 2),
            points=[{"t_days": t, "l": 0.5**t if events else 0.0} for t in (1, 7, 30)],
        ),
        "/v1/metrics/revenue": common(
            members=str(members),
            payers=str(payers),
            mean_spend_minor=10_000.0 if payers else 0.0,
            mean_spend_fraction="10000",
            conversion=payers / members if members else 0.0,
            revenue_minor=str(revenue_minor),
            currency="CNY",
        ),
        "/v1/metrics/members/m-creator/activity": common(rate_per_day=0.333333, interactions="10"),
        "/v1/metrics/members/m-creator/retention": {
            **{key: value for key, value in common().items() if key != "window"},
            "score": 4.4,
            "history": 5.0,
            "current": 2.0,
            "probability": 0.75,
            "probability_support": "400",
            "probability_formula": "(a + 1) / (n + 2)",
            "history_window": window(28),
            "current_window": window(7),
        },
    }


def token(role: str, sid: str, number: int) -> str:
    """An access token as far as the pages look into it."""
    claims = base64.urlsafe_b64encode(json.dumps({"role": role, "sid": sid, "n": number}).encode()).decode().rstrip("=")
    return f"header.{claims}.signature"


@dataclass
class FakePlatform:
    """Answers what the pages ask. `replies` go before everything else, by path; `asked` are the requests so far."""

    figures: dict[str, dict[str, Any]] = field(default_factory=community)
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)
    refreshes: int = 0
    revoked: set[str] = field(default_factory=set)
    pause_s: float = 0.0
    now_at_once: int = 0
    most_at_once: int = 0
    _tokens: dict[str, str] = field(default_factory=dict)
    _current: dict[str, str] = field(default_factory=dict)
    _number: int = 0

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    def paths(self) -> list[str]:
        return [request.url.path for request in self.asked]

    def end_access(self) -> None:
        """No access token that was given out so far counts any more."""
        self._tokens.clear()

    def end_sessions(self) -> None:
        """No refresh token counts any more, either."""
        self._current.clear()
        self.end_access()

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.now_at_once += 1
        self.most_at_once = max(self.most_at_once, self.now_at_once)
        try:
            await asyncio.sleep(self.pause_s)
            return self._reply(request)
        finally:
            self.now_at_once -= 1

    def _reply(self, request: httpx.Request) -> httpx.Response:
        reply = self.replies.get(request.url.path)
        if reply is not None:
            return reply(request) if callable(reply) else reply
        if request.method == "POST":
            return self._session(request.url.path, json.loads(request.content))
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self._tokens:
            return refusal(401)
        found = self.figures.get(request.url.path)
        return refusal(404) if found is None else httpx.Response(200, json=found)

    def _session(self, path: str, body: Mapping[str, str]) -> httpx.Response:
        if path == "/v1/sessions":
            name = body["username"]
            role = {"ada": "auditor", "creator": "creator", "importer": "importer"}.get(name, "")
            return self._begun(role, name) if role and body["password"] == PASSWORD else refusal(401)
        if path == "/v1/sessions:refresh":
            return self._refreshed(body["refresh_token"])
        if path == "/v1/sessions:revoke":
            self.revoked.add(body["refresh_token"])
            self._current.pop(body["refresh_token"], None)
            return httpx.Response(200, json={})
        return refusal(404)

    def _begun(self, role: str, name: str) -> httpx.Response:
        return httpx.Response(200, json={**self._new(role), "member_id": f"m-{name}", "role": role})

    def _refreshed(self, refresh: str) -> httpx.Response:
        """Strict: a token is good once, and there is no grace."""
        self.refreshes += 1
        role = self._current.pop(refresh, None)
        return refusal(401) if role is None else httpx.Response(200, json=self._new(role))

    def _new(self, role: str) -> dict[str, Any]:
        self._number += 1
        access, refresh = token(role, "sid-1", self._number), f"sid-1.refresh-{self._number}"
        self._tokens[access], self._current[refresh] = role, role
        return {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in_s": ACCESS_S}


def refusal(status: int, field_name: str = "", **headers: str) -> httpx.Response:
    """As the gateway refuses."""
    details = [{"reason": "INVALID_INPUT", "metadata": {"field": field_name}}] if field_name else []
    body = {"code": 3, "message": "a sentence of the gateway", "details": details}
    return httpx.Response(status, json=body, headers=headers)
