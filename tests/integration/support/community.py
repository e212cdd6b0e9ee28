"""A community behind the gateway, as clients see it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

PASSWORD = "password123"
IMPORTER = "importer"
DEADLINE_S = 30.0
BATCH = 500


@dataclass
class Session:
    """A logged-in member (or nobody) at the gateway. Remembers the last consistency token of each service."""

    client: httpx.Client
    access_token: str = ""
    member_id: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {
            **({"authorization": f"Bearer {self.access_token}"} if self.access_token else {}),
            **arguments.pop("headers", {}),
        }
        answer = self.client.request(method, path, headers=headers, **arguments)
        if "x-lyceum-token" in answer.headers:
            self.tokens[path] = answer.headers["x-lyceum-token"]
        return answer

    def post(self, path: str, body: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        answer = self.request("POST", path, json=body, **arguments)
        assert answer.status_code == 200, answer.text
        decoded: dict[str, Any] = answer.json()
        return decoded

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        answer = self.request("GET", path, params=parameters)
        assert answer.status_code == 200, answer.text
        decoded: dict[str, Any] = answer.json()
        return decoded

    def get_after(self, path: str, tokens: Sequence[str], **parameters: Any) -> dict[str, Any]:
        """The answer once every token has been applied."""

        def fresh() -> dict[str, Any] | None:
            answer = self.request("GET", path, params=parameters, headers={"x-lyceum-after": ",".join(tokens)})
            if answer.headers.get("x-lyceum-stale") == "true":
                return None  # what is still on its way may look like nothing there
            assert answer.status_code == 200, answer.text
            decoded: dict[str, Any] = answer.json()
            return decoded

        found: dict[str, Any] = eventually(fresh)
        return found

    def import_all(self, kind: str, dataset: str, items: Sequence[dict[str, Any]]) -> str:
        """Import in batches, all of which must be new, after what was imported before; returns the token that covers
        them."""
        after = {"x-lyceum-after": ",".join(self.imported.values())} if self.imported else {}
        for start in range(0, len(items), BATCH):
            batch = {"dataset": dataset, "items": items[start : start + BATCH]}
            answer = self.post(f"/v1/{kind}:batchImport", batch, headers=after)
            assert {result["status"] for result in answer["results"]} == {"created"}, answer["results"][:3]
            self.imported[kind] = answer["consistency_token"]
        return self.imported[kind]


def eventually(found: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """The first result that is true; fails after `deadline_s`."""
    give_up_at = time.monotonic() + deadline_s
    while not (result := found()):
        assert time.monotonic() < give_up_at, f"not within {deadline_s} s"
        time.sleep(0.02)  # between two looks at a condition with a deadline
    return result


@dataclass(frozen=True)
class Community:
    """The gateway's address and the operator's account."""

    url: str
    importer_name: str

    def anonymous(self) -> Session:
        return Session(httpx.Client(base_url=self.url, timeout=40))

    def member(self, role: str = "consumer") -> Session:
        """A new member, logged in."""
        session, name = self.anonymous(), f"m{uuid.uuid4().hex[:16]}"
        session.post("/register", {"username": name, "password": PASSWORD, "role": role})
        return self.log_in(name)

    def log_in(self, name: str, password: str = PASSWORD) -> Session:
        session = self.anonymous()
        answer = session.post("/v1/sessions", {"username": name, "password": password})
        session.access_token, session.member_id = answer["access_token"], answer["member_id"]
        return session

    def importer(self) -> Session:
        return self.log_in(self.importer_name)


def rfc3339(at: datetime) -> str:
    """A time as JSON carries it."""
    return at.isoformat().replace("+00:00", "Z")
