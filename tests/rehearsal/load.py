"""A community at a fixed rate: comments, new contents, prices and registrations, and reads of what was just written.

Requests start when they are due, whether earlier ones are answered or not, so a standstill is seen as what it is.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

PASSWORD = "password123"
MEMBERS, CONTENTS = 20, 40
AT_ONCE = 2_000
"""Requests that may wait for an answer; with more the load ends, and says so."""
PRICE = {"amount_minor": 9_900, "currency": "CNY"}
WEIGHTS = {"comment": 55, "publish": 20, "price": 15, "read": 8, "register": 2}


@dataclass
class Told:
    """What the community was answered, by kind of request."""

    asked: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    comments: Counter[str] = field(default_factory=Counter)
    contents: list[str] = field(default_factory=list)
    products: set[str] = field(default_factory=set)
    members: list[str] = field(default_factory=list)


class Load:
    """The requests, and what came of them."""

    def __init__(self, client: httpx.AsyncClient, rate: float, seed: int) -> None:
        self._client = client
        self._pause_s = 1.0 / rate
        self._rng = random.Random(seed)
        self._tokens: list[str] = []
        self.told = Told()

    def pace(self, rate: float) -> None:
        """Another rate from the next `run` on."""
        self._pause_s = 1.0 / rate

    async def settle(self) -> None:
        """Members, one of them a creator, and contents to speak of."""
        for role in ["creator", *["consumer"] * (MEMBERS - 1)]:
            name = f"m{uuid.uuid4().hex[:16]}"
            await self._post("", "/register", {"username": name, "password": PASSWORD, "role": role})
            session = await self._post("", "/v1/sessions", {"username": name, "password": PASSWORD})
            self._tokens.append(session["access_token"])
            self.told.members.append(session["member_id"])
        for _ in range(CONTENTS):
            await self._publish()

    async def run(self, done: asyncio.Event) -> None:
        """Until it is done, and everything is answered."""
        waiting: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        for number in itertools.count():
            if done.is_set():
                break
            kind = self._rng.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
            task = asyncio.create_task(self._measured(kind, number))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            if len(waiting) > AT_ONCE:
                self.told.failed.append(f"more than {AT_ONCE} requests wait for an answer")
                break
            due += self._pause_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*waiting)

    async def _measured(self, kind: str, number: int) -> None:
        act: dict[str, Callable[[], Awaitable[None]]] = {
            "comment": lambda: self._comment(number),
            "publish": self._publish,
            "price": self._price,
            "read": self._read,
            "register": self._register,
        }
        began = time.monotonic()
        self.told.asked[kind] += 1
        try:
            await act[kind]()
        except (httpx.HTTPError, Refused) as failure:
            self.told.failed.append(f"{kind} after {time.monotonic() - began:.2f} s: {failure!r}"[:300])
        self.told.seconds.append(time.monotonic() - began)

    async def _comment(self, number: int) -> None:
        content = self._rng.choice(self.told.contents)
        member = self._rng.choice(self._tokens[1:])
        body = {"kind": "comment", "comment": f"comment {number}"}
        await self._post(member, f"/v1/contents/{content}/interactions", body)
        self.told.comments[content] += 1

    async def _publish(self) -> None:
        work = {"kind": "text", "title": "t", "body": "b" * 200, "access": "paid"}
        published = await self._post(self._tokens[0], "/v1/contents", work)
        self.told.contents.append(published["content_id"])

    async def _price(self) -> None:
        content = self._rng.choice(self.told.contents[:CONTENTS])  # billing knows these for long
        product = {"product_id": content, "title": "t", "pricing": "fixed", "price": PRICE}
        await self._post(self._tokens[0], "/v1/products", product)
        self.told.products.add(content)

    async def _register(self) -> None:
        name = f"m{uuid.uuid4().hex[:16]}"
        await self._post("", "/register", {"username": name, "password": PASSWORD, "role": "consumer"})
        self.told.members.append(name)

    async def _read(self) -> None:
        token = self._rng.choice(self._tokens)
        for path in ("/v1/members/me", f"/v1/contents/{self._rng.choice(self.told.contents)}", "/v1/popular"):
            answer = await self._client.get(path, headers={"authorization": f"Bearer {token}"})
            if answer.status_code != 200:
                raise Refused(answer)

    async def _post(self, token: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = await self._client.post(path, json=body, headers=headers | {"idempotency-key": uuid.uuid4().hex})
        if answer.status_code != 200:
            raise Refused(answer)
        return dict(answer.json())


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.status_code} {answer.text[:160]}")
