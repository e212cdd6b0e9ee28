"""Answers are kept until the data behind them changes, and are told to each asker as to the first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from metrics_facts import did, published, registered
from metrics_house import ADMIN, NOW, MetricsHouse, metrics_house

from lyceum.metrics.v1 import activity_pb2
from metrics.activity import queries
from metrics.activity.rpc import MEMBERS_READ
from metrics.kept import Kept
from servicekit.caller import Caller

YESTERDAY = (NOW - timedelta(days=1)).astimezone(UTC)


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[MetricsHouse]:
    async with metrics_house(postgres_url, tmp_path) as one:
        yield one


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every trend that was computed."""
    asked: list[Any] = []
    compute = queries.spells

    async def watched(*arguments: Any) -> Any:
        asked.append(arguments)
        return await compute(*arguments)

    monkeypatch.setattr(queries, "spells", watched)
    return asked


FACTS = [registered("m1", YESTERDAY), published("c1", YESTERDAY, "creator1"), did("view", "m1", YESTERDAY)]


async def test_the_same_question_is_computed_once_until_the_data_changes(
    house: MetricsHouse, computed: list[Any]
) -> None:
    await house.hear(FACTS)
    first = await house.asked(activity_pb2.GetActivityTrendRequest())
    again = await house.asked(activity_pb2.GetActivityTrendRequest())
    assert first == again and len(computed) == 1
    await house.hear([*FACTS, did("view", "m1", NOW)])
    after = await house.asked(activity_pb2.GetActivityTrendRequest())
    assert len(computed) == 2 and after["periods"][-1]["active"] == "1"
    assert after["freshness"] != first["freshness"]


async def test_other_questions_are_other_answers(house: MetricsHouse, computed: list[Any]) -> None:
    await house.hear(FACTS)
    for request in (
        activity_pb2.GetActivityTrendRequest(),
        activity_pb2.GetActivityTrendRequest(periods=7),
        activity_pb2.GetActivityTrendRequest(creator_id="creator1"),
        activity_pb2.GetActivityTrendRequest(creator_id="creator2"),
    ):
        await house.asked(request)
    assert len(computed) == 4


async def test_each_asker_is_told_the_own_moment_and_no_more_than_the_own_role_may_see(
    house: MetricsHouse, computed: list[Any]
) -> None:
    """Given an operator's answer that is kept, when the creator asks the same, then the sequences stay away."""
    await house.hear(FACTS)
    request = activity_pb2.GetActivityTrendRequest(creator_id="creator1")
    operators = await house.asked(request)
    house.now = NOW + timedelta(minutes=1)
    creators = await house.asked(request, Caller("creator1", "creator", "session"))
    assert len(computed) == 1 and creators["periods"] == operators["periods"]
    assert creators["as_of"] != operators["as_of"]
    assert {one["sequence"] for one in creators["freshness"]["sources"]} == {"0"}
    assert "0" not in {one["sequence"] for one in operators["freshness"]["sources"]}


async def test_a_new_day_is_a_new_question(house: MetricsHouse, computed: list[Any]) -> None:
    await house.hear(FACTS)
    await house.asked(activity_pb2.GetActivityTrendRequest())
    house.now = NOW + timedelta(hours=5)
    later = await house.asked(activity_pb2.GetActivityTrendRequest())
    assert len(computed) == 2 and later["periods"][-1]["first_day"] == "2026-03-11"


async def test_a_rebuild_that_leaves_the_position_leaves_no_old_answer(
    house: MetricsHouse, computed: list[Any]
) -> None:
    await house.hear(FACTS)
    await house.asked(activity_pb2.GetActivityTrendRequest())
    query = "UPDATE fold_position SET applied_at = applied_at + interval '1 s' WHERE projection = %s RETURNING 1"
    assert await house.rows(query, MEMBERS_READ[0])
    await house.asked(activity_pb2.GetActivityTrendRequest())
    assert len(computed) == 2


async def test_where_nothing_was_folded_nothing_is_kept(house: MetricsHouse, computed: list[Any]) -> None:
    for _ in range(2):
        await house.call(activity_pb2.GetActivityTrendRequest(), ADMIN)
    assert len(computed) == 2


async def test_those_who_ask_at_once_wait_for_one_computation_and_a_failure_is_not_kept() -> None:
    kept: Kept[int] = Kept(2)
    computed: list[datetime] = []

    async def compute() -> int:
        computed.append(datetime.now(UTC))
        await asyncio.sleep(0)
        if len(computed) == 1:
            raise TimeoutError
        return len(computed)

    position = ("activity", 1)
    found = await asyncio.gather(*(kept.get("q", position, compute) for _ in range(20)), return_exceptions=True)
    assert isinstance(found[0], TimeoutError) and set(found[1:]) == {2} and len(computed) == 2
    for question in ("r", "s"):
        await kept.get(question, position, compute)
    await kept.get("q", position, compute)
    assert len(computed) == 5, "of three questions the oldest was let go"
