"""The facts for training, read from the tables in one look; and factors, published and taken up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest

from reco.bootstrap import DEFINITION
from reco.model.rows import Item
from reco.training import publication, tables
from reco.training.factors import FactorsRefused, Trained, Vectors
from reco.training.facts import Origin, Position
from reco.training.publication import newest, publish
from reco.training.refusals import TrainingRefused
from reco.training.tables import MemberFact, PairFact, read
from servicekit.testing import House, housed

START = datetime(2026, 1, 1, tzinfo=UTC)
START_US = 1_767_225_600_000_000
MINUTE_US = 60_000_000


@dataclass
class Heap:
    """Keeps all that is read, and in how many batches it came."""

    origin: Origin | None = None
    items: list[Item] = field(default_factory=list)
    pairs: list[PairFact] = field(default_factory=list)
    members: list[MemberFact] = field(default_factory=list)
    batches: int = 0

    def begin(self, origin: Origin) -> None:
        self.origin = origin

    def take_items(self, items: Sequence[Item]) -> None:
        self.items.extend(items)

    def take_pairs(self, pairs: Sequence[PairFact], members: Sequence[MemberFact]) -> None:
        self.pairs.extend(pairs)
        self.members.extend(members)
        self.batches += 1


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with housed(DEFINITION, postgres_url, tmp_path, House) as one:
        yield one


async def filled(house: House) -> None:
    """m-bea dislikes a, likes b and excluded c; m-ada only looked into a; m-cyd is not personalised."""
    async with house.pool.connection() as conn, conn.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO content_item (content_id, creator_id, kind, title, tags, category, published_at, access,"
            " duration_ms) VALUES (%s, 'cr', 'text', 't', %s, 'code', %s, 'free', 100000)",
            [(one, '["x", "y"]', START) for one in ("c", "a", "b")],
        )
        await cursor.executemany(
            "INSERT INTO interaction (member_id, content_id, weight, rating, watched_ms, first_at, last_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                (member, content, weight, rating, watched_ms, START, START + timedelta(minutes=1))
                for member, content, weight, rating, watched_ms in (
                    ("m-bea", "b", 20, None, 0),
                    ("m-ada", "a", 10, None, 50_000),
                    ("m-cyd", "a", 10, None, 0),
                    ("m-bea", "a", 22, 1, 0),
                    ("m-bea", "c", 50, None, 0),
                    ("m-bea", "no content", 50, None, 0),
                    ("m-dan", "b", 50, None, 0),
                )
            ],
        )
        await cursor.executemany(
            "INSERT INTO content_mark (member_id, content_id, hidden, excluded) VALUES (%s, %s, %s, %s)",
            [("m-bea", "c", None, True), ("m-dan", "b", "hide", False)],
        )
        await cursor.executemany(
            "INSERT INTO preference (member_id, personalised, interests) VALUES (%s, %s, %s)",
            [("m-bea", True, '["x"]'), ("m-cyd", False, '["y"]'), ("m-eve", True, '["y"]')],
        )
        await cursor.execute(
            "INSERT INTO fold_position (projection, topic, partition, next_offset, seq, applied_at)"
            " VALUES ('factors', 't', 1, 9, 8, now())"
        )


async def test_given_tables_when_read_then_pairs_come_in_order_with_their_strengths_and_where_they_are_from(
    house: House,
) -> None:
    await filled(house)
    heap = Heap()
    counts = await read(house.url, heap)
    assert [one.content_id for one in heap.items] == ["a", "b", "c"]
    assert heap.items[0] == Item("a", "cr", "text", ("x", "y"), "code", START_US)
    assert heap.pairs == [
        PairFact(0, 0, 0.75, START_US, START_US + MINUTE_US),
        PairFact(1, 0, -1.0, START_US, START_US + MINUTE_US),
        PairFact(1, 1, 2.0, START_US, START_US + MINUTE_US),
        PairFact(1, 2, 0.0, START_US, START_US + MINUTE_US),
        PairFact(2, 1, -1.0, START_US, START_US + MINUTE_US),
    ]
    assert heap.members == [MemberFact(1, ("x",))]
    assert (counts.items, counts.members, counts.pairs) == (3, 3, 5)
    assert heap.origin is not None and heap.origin.positions == (Position("factors", "t", 1, 8),)


async def test_given_small_batches_when_read_then_the_same_facts_come(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(house)
    whole, parts = Heap(), Heap()
    await read(house.url, whole)
    monkeypatch.setattr(tables, "BATCH_ROWS", 1)
    await read(house.url, parts)
    assert (whole.items, whole.pairs, whole.members) == (parts.items, parts.pairs, parts.members)
    assert (whole.batches, parts.batches) == (1, 5)


@pytest.mark.parametrize(
    ("bound", "sentence"),
    [
        ("MAX_ITEMS", "there are 3 contents, and 1 are the most"),
        ("MAX_PAIRS", "there are 7 pairs, and 1 are"),
        ("MAX_MEMBERS", "more than 1 members"),
    ],
)
async def test_given_more_than_a_bound_when_read_then_it_is_refused_in_one_sentence(
    house: House, monkeypatch: pytest.MonkeyPatch, bound: str, sentence: str
) -> None:
    await filled(house)
    monkeypatch.setattr(tables, bound, 1)
    with pytest.raises(TrainingRefused, match=sentence) as refused:
        await read(house.url, Heap())
    assert "\n" not in str(refused.value)


async def test_given_no_tables_when_read_then_it_is_refused_in_one_sentence(postgres_url: str) -> None:
    with pytest.raises(TrainingRefused, match=r"the tables cannot be read: relation .* does not exist") as refused:
        await read(postgres_url, Heap())
    assert "\n" not in str(refused.value)


def factors(seed: int) -> Trained:
    matrix = np.random.default_rng(seed).normal(size=(40, 9)).astype(np.float32)
    items = Vectors(tuple(f"c{number}" for number in range(40)), matrix)
    origin = Origin("1:1:", (Position("factors", "t", 1, 8),))
    return Trained("lightfm", origin, items, Vectors((), matrix[:0]), Vectors((), matrix[:0]))


async def test_given_published_factors_when_newer_ones_are_published_then_only_those_are_taken_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "CHUNK_BYTES", 1_000)
    async with house.pool.connection() as conn:
        assert await newest(conn) is None
    async with await psycopg.AsyncConnection.connect(house.url, autocommit=True) as conn:
        old, new = await publish(conn, factors(1), 5), await publish(conn, factors(2), 6)
        found = await newest(conn)
        assert found is not None and found[0] == new.version != old.version
        assert np.array_equal(found[1].items.matrix, factors(2).items.matrix)
        assert await newest(conn, known=new.version) is None
        assert await publish(conn, factors(2), 7) == new._replace(took_ms=7), "again is as good as once"
        row = await (await conn.execute("SELECT engine, positions, chunks, took_ms FROM trained_factors")).fetchall()
        chunks = await (await conn.execute("SELECT count(*) FROM trained_factors_chunk")).fetchone()
    assert row == [("lightfm", [["factors", "t", 1, 8]], -(-new.bytes // 1_000), 7)]
    assert chunks == (-(-new.bytes // 1_000),)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM trained_factors_chunk WHERE number = 1",
        "UPDATE trained_factors_chunk SET body = '\\x00' WHERE number = 0",
        "UPDATE trained_factors SET chunks = 1",
    ],
)
async def test_given_damaged_chunks_when_taken_up_then_they_are_refused(
    house: House, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(publication, "CHUNK_BYTES", 1_000)
    async with await psycopg.AsyncConnection.connect(house.url, autocommit=True) as conn:
        await publish(conn, factors(1), 5)
        await conn.execute(damage.encode())
        with pytest.raises(FactorsRefused, match="not those of their version"):
            await newest(conn)


async def test_given_more_bytes_than_the_bound_when_taken_up_then_none_is_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await psycopg.AsyncConnection.connect(house.url, autocommit=True) as conn:
        await publish(conn, factors(1), 5)
        monkeypatch.setattr(publication, "MAX_BYTES", 100)
        with pytest.raises(FactorsRefused, match="100 are the most"):
            await newest(conn)
