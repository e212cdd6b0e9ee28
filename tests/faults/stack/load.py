"""The load: members register, publish, view and buy through the gateway, and repeat unacknowledged commands."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.faults.keeper import until
from tests.faults.stack.journal import Act, Journal

PASSWORD = "password123"
THREADS = 4
MIN_SHOPS = 2
PAUSE_S = 0.08
RETRY_S = 0.25
ANSWER_S = 10.0
PRICE_MINOR = 9_900
BUY, PUBLISH, REGISTER = 0.25, 0.05, 0.10
"""The shares of these acts; the rest are views."""


@dataclass(slots=True)
class Member:
    """A registered member with a connection to the gateway; the token is replaced after it has expired."""

    name: str
    act: Act
    token: str


@dataclass(frozen=True, slots=True)
class Shop:
    """Paid content on sale."""

    content_id: str
    act: Act


class Stopped(Exception):
    """The load ends while a command is still unanswered."""


class Load:
    """Runs in threads until it is closed; `rest` returns once no command is in flight."""

    def __init__(self, url: str, simulator: str, journal: Journal, seed: int) -> None:
        self._url, self._simulator, self.journal = url, simulator, journal
        self._seed = seed
        self._going, self._over = threading.Event(), threading.Event()
        self._busy = [False] * THREADS
        self._lock = threading.Lock()
        self.members: list[Member] = []
        self.shops: list[Shop] = []
        self._bought: set[tuple[str, str]] = set()
        self.last_refusal = ""
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def go(self) -> None:
        self._going.set()

    def rest(self, within_s: float) -> bool:
        """Begin no new command, and wait until all are acknowledged; False if some are not within `within_s`."""
        self._going.clear()
        return until(lambda: not any(self._busy) and not self.journal.open(), within_s) is not None

    def close(self) -> None:
        self._over.set()
        self._going.set()
        for thread in self._threads:
            thread.join(ANSWER_S * 2)

    def forget(self, since: int) -> None:
        """Stop using members and contents from acts with the number `since` or later. The load must be at rest."""
        self.members = [one for one in self.members if one.act.number < since]
        self.shops = [one for one in self.shops if one.act.number < since]

    def _run(self, thread: int) -> None:
        rng = random.Random(f"{self._seed}/{thread}")
        with httpx.Client(base_url=self._url, timeout=ANSWER_S) as http:
            while not self._over.is_set():
                self._going.wait(1.0)
                self._busy[thread] = True
                try:
                    if self._going.is_set() and not self._over.is_set():
                        self._act(http, rng)
                except Stopped:
                    return
                finally:
                    self._busy[thread] = False
                self._over.wait(PAUSE_S)

    def _act(self, http: httpx.Client, rng: random.Random) -> None:
        acts, shares = [self._buy, self._publish, self._register, self._look], [BUY, PUBLISH, REGISTER]
        if len(self.members) < THREADS:
            chosen = self._register
        elif len(self.shops) < MIN_SHOPS:
            chosen = self._publish
        else:
            [chosen] = rng.choices(acts, [*shares, 1 - sum(shares)])
        chosen(http, rng)

    def _register(self, http: httpx.Client, rng: random.Random) -> None:
        name = f"m{rng.getrandbits(60):015x}"
        act = self.journal.sent("member", name)
        key = {"idempotency-key": uuid.uuid4().hex}
        body = {"username": name, "password": PASSWORD, "role": "creator"}
        self._until_ok(lambda: http.post("/register", json=body, headers=key))
        session = self._until_ok(lambda: _log_in(http, name))
        self.journal.done(act, member_id=session["member_id"])
        with self._lock:
            self.members.append(Member(name, act, session["access_token"]))

    def _publish(self, http: httpx.Client, rng: random.Random) -> None:
        member = rng.choice(self.members)
        act = self.journal.sent("content", member.name)
        work = {"kind": "text", "title": "课程", "body": "付费正文" * 5, "access": "paid"}
        content_id = self._asked(http, member, "/v1/contents", work, uuid.uuid4().hex)["content_id"]
        price = {"amount_minor": PRICE_MINOR, "currency": "CNY"}
        product = {"product_id": content_id, "title": "课程", "pricing": "fixed", "price": price}
        self._asked(http, member, "/v1/products", product, uuid.uuid4().hex)
        act.on = content_id
        self.journal.done(act, content_id=content_id)
        with self._lock:
            self.shops.append(Shop(content_id, act))

    def _look(self, http: httpx.Client, rng: random.Random) -> None:
        member, shop = rng.choice(self.members), rng.choice(self.shops)
        act = self.journal.sent("view", member.name, shop.content_id)
        seen = {"kind": "view", "client_key": uuid.uuid4().hex}
        self._asked(http, member, f"/v1/contents/{shop.content_id}/interactions", seen)
        self.journal.done(act)

    def _buy(self, http: httpx.Client, rng: random.Random) -> None:
        member, shop = rng.choice(self.members), rng.choice(self.shops)
        with self._lock:
            if member.name == shop.act.member or (member.name, shop.content_id) in self._bought:
                return
            self._bought.add((member.name, shop.content_id))
        act = self.journal.sent("order", member.name, shop.content_id)
        quote = self._asked(http, member, "/v1/quotes", {"product_id": shop.content_id})["quote"]
        order_id = self._asked(http, member, "/v1/orders", {"quote": quote})["order_id"]
        number = self._until_ok(lambda: self._payment(http, member, order_id))["merchant_number"]
        self._until_ok(lambda: httpx.post(f"{self._simulator}/v1/payments/{number}/pay", timeout=ANSWER_S))
        self.journal.done(act, order_id=order_id, member_id=member.act.ids["member_id"])

    def _payment(self, http: httpx.Client, member: Member, order_id: str) -> httpx.Response:
        """Start a payment that the provider knows: while the answer has no address to pay at, ask again."""
        answer = _post(http, member, f"/v1/orders/{order_id}/payments", {"provider": "simulator"})
        return answer if answer.status_code != 200 or answer.json()["pay_url"] else httpx.Response(503)

    def _asked(
        self, http: httpx.Client, member: Member, path: str, body: dict[str, Any], key: str | None = None
    ) -> dict[str, Any]:
        return self._until_ok(lambda: _post(http, member, path, body, key))

    def _until_ok(self, ask: Callable[[], httpx.Response]) -> dict[str, Any]:
        """Repeat the same command until it is acknowledged."""
        while not self._over.is_set():
            try:
                answer = ask()
                if answer.status_code == 200:
                    return dict(answer.json())
                self.last_refusal = f"{answer.status_code} {answer.text[:200]}"
            except httpx.HTTPError as failure:
                self.last_refusal = type(failure).__name__
            self._over.wait(RETRY_S)
        raise Stopped


def _post(
    http: httpx.Client, member: Member, path: str, body: dict[str, Any], key: str | None = None
) -> httpx.Response:
    """Post as the member, who logs in again if the token has expired."""
    headers = {"authorization": f"Bearer {member.token}", **({"idempotency-key": key} if key else {})}
    answer = http.post(path, json=body, headers=headers)
    if answer.status_code == 401 and (session := _log_in(http, member.name)).status_code == 200:
        member.token = session.json()["access_token"]
    return answer


def _log_in(http: httpx.Client, name: str) -> httpx.Response:
    return http.post("/v1/sessions", json={"username": name, "password": PASSWORD})
