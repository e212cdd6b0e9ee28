"""More than the services can answer in time: against a real Envoy."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

import httpx
import pytest
from edge_stand_in import Running, running

PATH = "/v1/contents"
AT_ONCE, LEAST = 40, 5
SLOW_S, PATIENCE_S = 0.5, 60.0


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """One that takes little for slow."""
    async with running(tmp_path, slow_answer_s=SLOW_S, least_at_once=LEAST) as ready:
        yield ready


async def asked(gateway: Running, count: int) -> list[httpx.Response]:
    """The answers to so many at once."""
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(base_url=gateway.client.base_url, limits=limits, timeout=30) as client:
        return await asyncio.gather(*(client.get(PATH) for _ in range(count)))


def took_s(answer: httpx.Response) -> float:
    return answer.elapsed.total_seconds()


async def until(gateway: Running, count: int, wanted: set[int]) -> list[httpx.Response]:
    """The answers to so many at once, once they have these statuses and no others."""
    seen: Counter[int] = Counter()
    async with asyncio.timeout(PATIENCE_S):
        for _ in itertools.count():
            answers = await asked(gateway, count)
            seen = Counter(one.status_code for one in answers)
            if seen.keys() == wanted:
                return answers
    raise AssertionError(seen)


async def test_what_is_too_much_is_refused_at_once_and_the_rest_is_served(gateway: Running) -> None:
    gateway.services.takes_s = 4 * SLOW_S
    answers = await until(gateway, AT_ONCE, {200, 429})
    refused = [one for one in answers if one.status_code == 429]
    served = [one for one in answers if one.status_code == 200]
    assert all(one.headers["retry-after"] == "1" and one.json()["code"] == 8 for one in refused)
    assert served
    assert median(map(took_s, refused)) < median(map(took_s, served))


async def test_it_recovers_by_itself(gateway: Running) -> None:
    gateway.services.takes_s = 4 * SLOW_S
    await until(gateway, AT_ONCE, {200, 429})
    gateway.services.takes_s = 0.0
    await until(gateway, LEAST, {200})
    await until(gateway, AT_ONCE, {200})


async def test_a_few_slow_calls_are_no_reason(gateway: Running) -> None:
    gateway.services.takes_s = 4 * SLOW_S
    for _ in range(3):
        assert {one.status_code for one in await asked(gateway, LEAST - 2)} == {200}
