"""The factors over a real PostgreSQL: migration, runtime, and a live copy that follows the tables."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from psycopg_pool import AsyncConnectionPool

from eventfold import Pool
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.measured.times import rfc3339
from reco.bootstrap import DEFINITION
from reco.model.model import Model
from reco.model.settings import Settings
from reco.recommendation.application import answers
from reco.recommendation.application.answers import Suggestion, Wish, popular
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.live_factors import LiveFactors
from reco.recommendation.application.pairs import Bounds
from reco.recommendation.application.placing import Rules
from reco.recommendation.following import PostgresFactTables
from servicekit.testing import Delivered, NoAvro, migrated


def model() -> Model:
    return Model(Settings(), np.random.default_rng(1))


START = datetime(2026, 1, 1, tzinfo=UTC)
PREFIX = "test."
INTERACTION, CONTENT, ORDER = "lyceum.catalog.interaction", "lyceum.catalog.content", "lyceum.billing.order"


def delivered(offset: int, type_name: str, seq: int, data: dict[str, Any]) -> Delivered:
    headers = {"ce_id": f"{type_name}/{seq}", "ce_type": type_name, "ce_sequence": str(seq), "ce_time": rfc3339(START)}
    return Delivered(offset, b"key", data, [(name, text.encode()) for name, text in headers.items()])


def viewed(offset: int, member: str, content: str, day: int = 0) -> Delivered:
    data = {"member_id": member, "content_id": content, "watched_ms": 0, "occurred_at": START + timedelta(days=day)}
    return delivered(offset, f"{INTERACTION}.viewed.v1", offset + 1, data)


def published(offset: int, content: str) -> Delivered:
    data = {
        "content_id": content,
        "creator_id": "c",
        "kind": "text",
        "title": f"Title {content}",
        "tags": ["x"],
        "category": None,
        "published_at": START,
        "access": "free",
        "duration_ms": None,
    }
    return delivered(offset, f"{CONTENT}.published.v1", offset + 1, data)


def paid(offset: int, member: str, product: str, day: int = 0) -> Delivered:
    data = {"member_id": member, "product_id": product, "paid_at": START + timedelta(days=day)}
    return delivered(offset, f"{ORDER}.paid.v1", offset + 1, data)


def recommend(copy: Copy, member_id: str, as_of: datetime | None, limit: int) -> list[Suggestion]:
    wish = Wish(member_id, "items", limit, now=START, as_of=as_of)
    return answers.recommend(copy, wish, Rules(per_creator=99, explored_share=0.0), random.Random(0))


@dataclass(frozen=True)
class Reco:
    url: str
    pool: Pool
    runner: FoldRunner

    async def apply(self, topic: str, partition: int, records: Sequence[Delivered]) -> None:
        await self.runner.apply([PartitionBatch(PREFIX + topic, partition, records)])

    def live(self) -> LiveFactors:
        return LiveFactors(PostgresFactTables(self.pool), Copy(Bounds(100, 1000, 100), model))


@pytest.fixture
async def reco(postgres_url: str) -> AsyncIterator[Reco]:
    async with (
        migrated(postgres_url, DEFINITION) as url,
        AsyncConnectionPool(url, min_size=1, max_size=4, open=False) as pool,
    ):
        runner = FoldRunner(worker="t", pool=pool, avro=NoAvro(), groups=DEFINITION.groups, topic_prefix=PREFIX)
        yield Reco(url, pool, runner)


async def test_a_copy_follows_what_is_folded_on_every_topic_and_partition(reco: Reco) -> None:
    live = reco.live()
    await reco.apply(INTERACTION, 0, [viewed(0, "m1", "a"), viewed(1, "m2", "a")])
    await reco.apply(CONTENT, 0, [published(0, "a"), published(1, "b")])
    await live.refresh()
    assert [(one.content_id, one.score) for one in popular(live.copy, None, 9)] == [("a", 2.0), ("b", 0.0)]
    await reco.apply(INTERACTION, 3, [viewed(0, "m2", "b")])
    await reco.apply(ORDER, 0, [paid(0, "m3", "b"), paid(1, "m4", "b")])
    await live.refresh()
    assert [(one.content_id, one.score) for one in popular(live.copy, None, 9)] == [("b", 3.0), ("a", 2.0)]
    assert [one.content_id for one in recommend(live.copy, "m1", None, 9)] == ["b"]


async def test_a_copy_made_late_equals_one_that_followed(reco: Reco) -> None:
    following = reco.live()
    for offset in range(6):
        await reco.apply(INTERACTION, 1, [viewed(offset, f"m{offset % 3}", "abc"[offset % 2])])
        await following.refresh()
    await reco.apply(CONTENT, 0, [published(0, "a"), published(1, "b")])
    await following.refresh()
    late = reco.live()
    await late.refresh()
    for member in ("m0", "m1", "nobody"):
        assert recommend(late.copy, member, None, 9) == recommend(following.copy, member, None, 9)
    assert late.reached("factors") == following.reached("factors")


async def test_a_first_signal_dated_back_by_an_import_reaches_the_copy(reco: Reco) -> None:
    live = reco.live()
    await reco.apply(CONTENT, 0, [published(0, "a")])
    await reco.apply(INTERACTION, 0, [viewed(0, "m1", "a", day=9)])
    await live.refresh()
    assert popular(live.copy, START + timedelta(days=5), 1)[0].score == 0.0
    await reco.apply(INTERACTION, 0, [viewed(1, "m1", "a", day=4)])
    await live.refresh()
    assert popular(live.copy, START + timedelta(days=5), 1)[0].score == 1.0


async def test_records_delivered_again_are_counted_once(reco: Reco) -> None:
    live = reco.live()
    for _ in range(2):
        await reco.apply(INTERACTION, 0, [viewed(0, "m1", "a")])
        await reco.apply(CONTENT, 0, [published(0, "a")])
        await live.refresh()
    assert live.copy.pairs.size == 1 and popular(live.copy, None, 1)[0].score == 1.0


@pytest.mark.parametrize("bought_first", [True, False])
async def test_a_pair_that_several_topics_touch_follows_each_of_them(reco: Reco, bought_first: bool) -> None:
    """An import dates signals back; each is behind what another topic has brought to the same pair."""
    live = reco.live()
    await reco.apply(CONTENT, 0, [published(0, "a")])
    changes = [(ORDER, paid(0, "m1", "a", day=8)), (INTERACTION, viewed(0, "m1", "a", day=4))]
    for topic, change in changes if bought_first else reversed(changes):
        await reco.apply(topic, 2, [change])
        await live.refresh()
    assert popular(live.copy, START + timedelta(days=4), 1)[0].score == 1.0
    await reco.apply(ORDER, 1, [paid(0, "m1", "a", day=2)])
    await live.refresh()
    assert popular(live.copy, START + timedelta(days=2), 1)[0].score == 1.0


async def test_a_copy_is_made_anew_when_the_tables_are_replaced(reco: Reco) -> None:
    live = reco.live()
    await reco.apply(CONTENT, 0, [published(0, "a")])
    await reco.apply(INTERACTION, 0, [viewed(0, "m1", "a"), viewed(1, "m2", "a")])
    async with reco.pool.connection() as conn:
        await conn.execute("CREATE TABLE rebuilt (LIKE interaction INCLUDING ALL)")
        await conn.execute("INSERT INTO rebuilt SELECT * FROM interaction WHERE member_id = 'm1'")
    await live.refresh()
    before = live.copy.pairs
    async with reco.pool.connection() as conn:
        await conn.execute("DROP TABLE interaction")
        await conn.execute("ALTER TABLE rebuilt RENAME TO interaction")
    await live.refresh()
    assert (before.size, live.copy.pairs.size) == (2, 1) and popular(live.copy, None, 1)[0].score == 1.0


async def test_freshness_says_how_far_each_partition_has_come(reco: Reco) -> None:
    live = reco.live()
    await reco.apply(INTERACTION, 2, [viewed(0, "m1", "a"), viewed(1, "m1", "b")])
    await live.refresh()
    assert [(one.topic, one.partition, one.seq) for _, one in live.reached("factors")] == [(PREFIX + INTERACTION, 2, 2)]
