"""A mixed day of many members: they browse, are recommended to, interact, buy and pay; a few publish.

Members are imported, and their access tokens signed with the installation's own key: to log all of them in would
measure nothing but the hashing of passwords. Popular members and contents are so by Zipf's law.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import ClassVar

from joserfc.jwk import ECKey

from identity.adapters.tokens import Issuer
from identity.keyring import SIGNING
from lyceum_local.stack import LocalStack
from tests.rehearsal.load import PRICE
from tests.rehearsal.pacing import Act, Asked, Paced, Refused, Send

BATCH, CREATORS, CONTENTS_EACH = 500, 20, 10
ZIPF = 1.1
LASTS = timedelta(hours=6)
SETTLED_S = 180.0
REGISTERED_AT = "2026-01-01T00:00:00Z"


class Day(Paced):
    """The requests of `members` members."""

    weights: ClassVar[Mapping[str, int]] = {
        "list": 20,
        "open": 30,
        "recommend": 12,
        "popular": 5,
        "view": 15,
        "like": 5,
        "comment": 3,
        "notifications": 4,
        "buy": 4,
        "publish": 2,
    }

    def __init__(self, send: Send, stack: LocalStack, rate: float, seed: int, members: int) -> None:
        self.told = Asked()
        super().__init__(send, rate, seed, self.told)
        self._stack = stack
        self._issuer = _issuer(stack)
        self._count = members
        self._members: list[str] = []
        self._tokens: dict[str, str] = {}
        self.contents: list[str] = []
        self._shares: list[float] = []

    def acts(self) -> Mapping[str, Act]:
        return {
            "list": lambda _: self._look("/v1/contents"),
            "open": lambda _: self._look(f"/v1/contents/{self._content()}"),
            "recommend": lambda _: self._look("/v1/recommendations"),
            "popular": lambda _: self._look("/v1/popular"),
            "notifications": lambda _: self._look("/v1/notifications"),
            "view": lambda _: self._interact({"kind": "view", "watched_ms": 30_000}),
            "like": lambda _: self._interact({"kind": "like"}),
            "comment": lambda number: self._interact({"kind": "comment", "comment": f"comment {number}"}),
            "buy": lambda _: self._buy(),
            "publish": self._publish,
        }

    async def settle(self, importer: str) -> None:
        """Import the members with the token of an importer, publish, and set prices."""
        for start in range(0, self._count, BATCH):
            self._members += await self._imported(importer, range(start, min(start + BATCH, self._count)))
        self._shares = list(accumulate(1 / (rank + 1) ** ZIPF for rank in range(self._count)))
        for number in range(CREATORS * CONTENTS_EACH):
            await self._publish(number)
        for place, content in enumerate(self.contents):
            await self._priced(self._members[place % CREATORS], content)

    async def _imported(self, importer: str, numbers: Sequence[int]) -> list[str]:
        items = [
            {
                "external_id": str(number),
                "username": f"day{number}",
                "role": "creator" if number < CREATORS else "consumer",
                "registered_at": REGISTERED_AT,
            }
            for number in numbers
        ]
        answer = await self.post(importer, "/v1/members:batchImport", {"dataset": "day", "items": items})
        return [one["id"] for one in answer["results"]]

    async def _priced(self, creator: str, content: str) -> None:
        product = {"product_id": content, "title": "课程", "pricing": "fixed", "price": PRICE}
        token = self._token(creator, "creator")
        async with asyncio.timeout(SETTLED_S):
            while True:
                with contextlib.suppress(Refused):  # billing learns of the content from its topic
                    await self.post(token, "/v1/products", product)
                    return
                await asyncio.sleep(0.2)

    async def _look(self, path: str) -> None:
        await self.get(self._token(self._member()), path)

    async def _interact(self, interaction: Mapping[str, object]) -> None:
        await self.post(self._token(self._member()), f"/v1/contents/{self._content()}/interactions", interaction)

    async def _buy(self) -> None:
        """To the payment, which the provider confirms by a callback. A member buys a content once."""
        token = self._token(self._rng.choice(self._members[CREATORS:]))
        product = self._rng.choice(self.contents[: CREATORS * CONTENTS_EACH])
        quote = (await self.post(token, "/v1/quotes", {"product_id": product}))["quote"]
        order = await self.post(token, "/v1/orders", {"quote": quote})
        started = await self.post(token, f"/v1/orders/{order['order_id']}/payments", {"provider": "simulator"})
        if pay := started["pay_url"]:
            await self._send("POST", pay, {}, None, {})

    async def _publish(self, number: int) -> None:
        creator = self._members[len(self.contents) % CREATORS]
        work = {"kind": "text", "title": f"课程 {number}", "body": "正文" * 200, "access": "paid"}
        made = await self.post(self._token(creator, "creator"), "/v1/contents", work)
        self.contents.append(made["content_id"])

    def _member(self) -> str:
        """One of all, the popular ones more often."""
        return self._rng.choices(self._members, cum_weights=self._shares)[0]

    def _content(self) -> str:
        rank = int(self._rng.paretovariate(ZIPF)) - 1
        return self.contents[min(rank, len(self.contents) - 1)]

    def _token(self, member: str, role: str = "consumer") -> str:
        if member not in self._tokens:
            self._tokens[member] = self._issuer.access_token(member, role, "day", datetime.now(UTC))
        return self._tokens[member]


def _issuer(stack: LocalStack) -> Issuer:
    """Signs as the installation's identity does."""
    told = stack.environment("identity")
    key = ECKey.import_key((Path(told["KEY_DIR"]) / SIGNING).read_text())
    return Issuer(key, told["JWT_ISSUER"], told["JWT_AUDIENCE"], LASTS)
