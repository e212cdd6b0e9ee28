"""A gateway that answers as the real one does, in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from lyceum_cli.gateway import Gateway

LOG_IN = {
    "access_token": "a0",
    "refresh_token": "r0",
    "token_type": "Bearer",
    "expires_in_s": 600,
    "member_id": "m",
    "role": "importer",
}


class FakeGateway:
    """Remembers what it was sent; refuses items whose external id is in `refused`, and dies after `answers` batches."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[dict[str, Any]]]] = []
        self.known: set[tuple[str, str]] = set()
        self.refused: dict[str, tuple[str, str]] = {}
        self.unreadable: set[str] = set()
        self.answers = 10**9
        self.stale_answers = 0
        self.asked_after: list[str] = []
        self.datasets: set[str] = set()
        self.imported_after: list[str] = []
        self.role = "importer"
        self.passwords: dict[str, str] = {}
        self.roles: dict[str, str] = {}
        self.keys: list[str] = []
        self.grants_fail = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/sessions":
            return self._log_in(json.loads(request.content))
        if request.url.path == "/register":
            return self._register(request)
        if request.url.path.endswith(":grantRole"):
            return self._grant(request)
        if request.method == "GET":
            return self._query(request)
        self.imported_after.append(request.headers.get("x-lyceum-after", ""))
        return self._import(request.url.path, json.loads(request.content))

    def _log_in(self, body: dict[str, str]) -> httpx.Response:
        """Whoever did not register here has `role` and any password but `wrong`."""
        name = body["username"]
        if body["password"] == "wrong" or self.passwords.get(name, body["password"]) != body["password"]:
            return refusal(401, 16, "LOG_IN_FAILED", "wrong username or password")
        known = {"member_id": f"id-{name}", "role": self.roles[f"id-{name}"]} if name in self.passwords else {}
        return httpx.Response(200, json={**LOG_IN, "role": self.role, "access_token": f"of-{name}", **known})

    def _register(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.keys.append(request.headers["idempotency-key"])
        if body["username"] in self.passwords:
            return refusal(409, 6, "ALREADY_EXISTS", "this username is taken", "username")
        if len(body["password"]) < 8:
            return refusal(400, 3, "INVALID_INPUT", "must have 8 to 128 characters", "password")
        self.passwords[body["username"]] = body["password"]
        self.roles[f"id-{body['username']}"] = "consumer"
        return httpx.Response(200, json={"message": "User registered successfully."})

    def _grant(self, request: httpx.Request) -> httpx.Response:
        member_id = request.url.path.removeprefix("/v1/members/").removesuffix(":grantRole")
        self.keys.append(request.headers["idempotency-key"])
        if request.headers["authorization"] != "Bearer of-chief" or self.grants_fail:
            return refusal(403, 7, "NOT_PERMITTED", "roles are granted by admins only")
        if member_id not in self.roles:
            return refusal(404, 5, "NOT_FOUND", "there is no such member")
        self.roles[member_id] = json.loads(request.content)["role"]
        return httpx.Response(200, json={"member_id": member_id, "role": self.roles[member_id]})

    def _query(self, request: httpx.Request) -> httpx.Response:
        if not request.headers.get("x-lyceum-after"):
            return httpx.Response(200, json={"any": 1})
        self.asked_after.append(request.headers["x-lyceum-after"])
        self.stale_answers -= 1
        stale = "true" if self.stale_answers >= 0 else "false"
        return httpx.Response(200, json={"any": 1}, headers={"x-lyceum-stale": stale})

    def _import(self, path: str, body: dict[str, Any]) -> httpx.Response:
        if self.answers == 0:
            raise KeyboardInterrupt
        ids = [item["external_id"] for item in body["items"]]
        if self.unreadable & set(ids):
            return httpx.Response(400, json={"code": 3, "message": "the request is malformed", "details": []})
        self.answers -= 1
        self.batches.append((path, body["items"]))
        self.datasets.add(body["dataset"])
        results = [self._result(path, body["dataset"], one) for one in ids]
        return httpx.Response(200, json={"results": results, "consistency_token": f"{path}@{len(self.batches)}"})

    def _result(self, path: str, dataset: str, external_id: str) -> dict[str, str]:
        field, reason = self.refused.get(external_id, ("", ""))
        status = "rejected" if field else "duplicate" if (path, external_id) in self.known else "created"
        if status == "created":
            self.known.add((path, external_id))
        return {
            "external_id": external_id,
            "status": status,
            "id": f"{dataset}-{external_id}",
            "error_field": field,
            "error_reason": reason,
        }


def refusal(status: int, code: int, reason: str, message: str, field: str = "") -> httpx.Response:
    """An answer as the gateway refuses."""
    info = {"reason": reason, "metadata": {"field": field} if field else {}}
    return httpx.Response(status, json={"code": code, "message": message, "details": [info]})


async def no_pause(seconds: float) -> None:
    """Retries without waiting."""


def over(handler: Callable[[httpx.Request], httpx.Response], clock: Callable[[], float] = lambda: 0.0) -> Gateway:
    """A gateway whose answers come from `handler`."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return Gateway("http://gateway", client=client, clock=clock, pause=no_pause)
