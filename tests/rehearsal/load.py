"""A community of commands at a fixed rate: comments, new contents, prices and registrations, and reads of what was just
written. What it was answered is counted, so that all of it can be looked for afterwards."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tests.rehearsal.pacing import Act, Asked, Paced, Send

PASSWORD = "password123"
MEMBERS, CONTENTS = 20, 40
PRICE = {"amount_minor": 9_900, "currency": "CNY"}


@dataclass
class Told(Asked):
    """What the community was answered, by kind of request."""

    comments: Counter[str] = field(default_factory=Counter)
    contents: list[str] = field(default_factory=list)
    products: set[str] = field(default_factory=set)
    members: list[str] = field(default_factory=list)


class Load(Paced):
    """The requests, and what came of them."""

    weights: ClassVar[Mapping[str, int]] = {"comment": 55, "publish": 20, "price": 15, "read": 8, "register": 2}

    def __init__(self, send: Send, rate: float, seed: int) -> None:
        self.told = Told()
        super().__init__(send, rate, seed, self.told)
        self._tokens: list[str] = []

    def acts(self) -> Mapping[str, Act]:
        return {
            "comment": self._comment,
            "publish": self._publish,
            "price": self._price,
            "read": self._read,
            "register": self._register,
        }

    async def settle(self) -> None:
        """Members, one of them a creator, and contents to speak of."""
        for role in ["creator", *["consumer"] * (MEMBERS - 1)]:
            name = f"m{uuid.uuid4().hex[:16]}"
            await self.post("", "/register", {"username": name, "password": PASSWORD, "role": role})
            session = await self.post("", "/v1/sessions", {"username": name, "password": PASSWORD})
            self._tokens.append(session["access_token"])
            self.told.members.append(session["member_id"])
        for number in range(CONTENTS):
            await self._publish(number)

    async def _comment(self, number: int) -> None:
        content = self._rng.choice(self.told.contents)
        member = self._rng.choice(self._tokens[1:])
        body = {"kind": "comment", "comment": f"comment {number}"}
        await self.post(member, f"/v1/contents/{content}/interactions", body)
        self.told.comments[content] += 1

    async def _publish(self, number: int) -> None:
        work = {"kind": "text", "title": f"t {number}", "body": "b" * 200, "access": "paid"}
        published = await self.post(self._tokens[0], "/v1/contents", work)
        self.told.contents.append(published["content_id"])

    async def _price(self, number: int) -> None:
        content = self._rng.choice(self.told.contents[:CONTENTS])  # billing knows these for long
        product = {"product_id": content, "title": f"t {number}", "pricing": "fixed", "price": PRICE}
        await self.post(self._tokens[0], "/v1/products", product)
        self.told.products.add(content)

    async def _register(self, number: int) -> None:
        name = f"m{uuid.uuid4().hex[:16]}"
        await self.post("", "/register", {"username": name, "password": PASSWORD, "role": "consumer"})
        self.told.members.append(name)

    async def _read(self, number: int) -> None:
        token = self._rng.choice(self._tokens)
        for path in ("/v1/members/me", f"/v1/contents/{self._rng.choice(self.told.contents)}", "/v1/popular"):
            await self.get(token, path)
