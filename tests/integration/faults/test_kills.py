"""Processes are killed and stopped while work is under way: nothing lost, nothing doubled, only the victim restarts."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from community import BATCH, Community, Session, eventually, rfc3339

from lyceum_local.stack import LocalStack

pytestmark = pytest.mark.one_machine("processes to kill by their ids")

MEMBERS, CONTENTS, MAX_BATCHES = 50, 20, 400
START = datetime(1995, 1, 1, tzinfo=UTC)
RECOVERY_S = 60.0


class Load:
    """An import of views, until told that it is enough, that repeats each batch until it is acknowledged."""

    def __init__(self, importer: Session) -> None:
        self._importer = importer
        self.dataset = f"f{uuid.uuid4().hex[:8]}"
        self.sent = 0
        self.token = ""
        self.enough = threading.Event()
        self._populate()

    def _populate(self) -> None:
        at = rfc3339(START)
        people = [
            {"external_id": f"{n}", "username": f"{self.dataset}-{n}", "role": "creator", "registered_at": at}
            for n in range(MEMBERS)
        ]
        works = [
            {
                "external_id": f"{n}",
                "creator_external_id": "0",
                "title": "t",
                "kind": "video",
                "access": "free",
                "published_at": at,
            }
            for n in range(CONTENTS)
        ]
        self._importer.import_all("members", self.dataset, people)
        token = self._importer.import_all("contents", self.dataset, works)
        self._importer.get_after("/v1/contents", [token])

    def run(self) -> None:
        while not self.enough.is_set() and self.sent < MAX_BATCHES * BATCH:
            self._send([self._view(n) for n in range(self.sent, self.sent + BATCH)])
            self.sent += BATCH

    def _view(self, n: int) -> dict[str, Any]:
        return {
            "external_id": f"v{n}",
            "member_external_id": f"{n % MEMBERS}",
            "content_external_id": f"{n % CONTENTS}",
            "interaction": {"kind": "view"},
            "occurred_at": rfc3339(START + timedelta(seconds=n)),
        }

    def _send(self, items: list[dict[str, Any]]) -> None:
        body = {"dataset": self.dataset, "items": items}

        def acknowledged() -> bool:
            try:
                answer = self._importer.request("POST", "/v1/interactions:batchImport", json=body)
            except httpx.TransportError:
                return False
            if answer.status_code != 200:
                return False
            self.token = answer.json()["consistency_token"]
            return True

        eventually(acknowledged, RECOVERY_S)

    def views_of_each_content(self) -> list[int]:
        found = self._importer.get("/v1/contents", creator_id=self._creator(), page_size=CONTENTS)["contents"]
        return [int(one["counters"]["views"]) for one in found]

    def _creator(self) -> str:
        person = {
            "external_id": "0",
            "username": f"{self.dataset}-0",
            "role": "creator",
            "registered_at": rfc3339(START),
        }
        answer = self._importer.post("/v1/members:batchImport", {"dataset": self.dataset, "items": [person]})
        member_id: str = answer["results"][0]["id"]
        return member_id

    def assert_each_view_counts_once(self) -> None:
        def settled() -> bool:
            headers = {"x-lyceum-after": self.token}
            answer = self._importer.request("GET", "/v1/contents", params={"page_size": 1}, headers=headers)
            return answer.status_code == 200 and answer.headers["x-lyceum-stale"] == "false"

        eventually(settled, RECOVERY_S)
        assert self.views_of_each_content() == [self.sent // CONTENTS] * CONTENTS


@contextmanager
def under_load(load: Load) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=load.run)
    thread.start()
    try:
        yield thread
    finally:
        load.enough.set()
        thread.join(RECOVERY_S)
        assert not thread.is_alive(), "the load came to its end"


def pids(stack: LocalStack) -> dict[str, int]:
    return {name: stack.pid(name) for name in stack.states()}


@pytest.mark.parametrize("victim", ["catalog-work", "catalog-serve"], ids=["fold", "server-and-relay"])
def test_killed_in_mid_work_it_loses_and_doubles_nothing(community: Community, stack: LocalStack, victim: str) -> None:
    load = Load(community.importer())
    before = pids(stack)
    with under_load(load) as thread:
        for _ in range(2):
            eventually(_progress(load))
            assert thread.is_alive(), "the fault fell into the work"
            old = stack.pid(victim)
            stack.kill(victim)
            eventually(lambda old=old: _restarted(stack, victim, old), RECOVERY_S)  # type: ignore[misc]
    load.assert_each_view_counts_once()
    after = pids(stack)
    assert {name for name in before if before[name] != after.get(name)} == {victim}, "only the victim restarted"


def test_a_worker_that_stands_still_and_wakes_goes_on_where_it_was(community: Community, stack: LocalStack) -> None:
    load = Load(community.importer())
    with under_load(load):
        eventually(_progress(load))
        stack.pause("catalog-work")
        eventually(_progress(load))
        stack.resume("catalog-work")
        eventually(_progress(load))
    load.assert_each_view_counts_once()


def test_a_database_that_restarts_is_found_again(community: Community, stack: LocalStack) -> None:
    load = Load(community.importer())
    with under_load(load):
        eventually(_progress(load))
        stack.kill("postgres")
        eventually(_progress(load), RECOVERY_S)
    load.assert_each_view_counts_once()


def _progress(load: Load) -> Callable[[], bool]:
    """True once another batch has been acknowledged since now."""
    seen = load.token
    return lambda: load.token != seen


def _restarted(stack: LocalStack, name: str, old: int) -> bool:
    return stack.states()[name].state == "RUNNING" and stack.pid(name) != old
