"""Learning from the tables: in the order of time, whatever the order of rows; saved, and taken up by who serves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from reco.bootstrap import DEFINITION
from reco.evaluation.files import WrongFile
from reco.evaluation.stored import read_stored
from reco.model.model import Model
from reco.model.settings import Settings
from reco.model.state import StateRefused
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.learning import LearningCopy
from reco.recommendation.application.live_factors import LiveFactors
from reco.recommendation.application.pairs import Bounds
from reco.recommendation.following import PostgresFactTables
from reco.recommendation.projections import ItemRow, PairRow
from reco.recommendation.states import UNLEARNED, States, TrainedElsewhere
from reco.recommendation.teaching import Teacher
from reco.training.factors import FactorsRefused, Trained, Vectors
from reco.training.facts import Origin
from reco.training.publication import publish
from servicekit.testing import House, housed

START = datetime(2026, 1, 1, tzinfo=UTC)
BOUNDS = Bounds(1_000, 10_000, 100)
CONTENTS = [f"c{number}" for number in range(12)]


def model(seed: int = 1) -> Model:
    return Model(Settings(replay=256), np.random.default_rng(seed))


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def items() -> list[ItemRow]:
    return [ItemRow(one, "cr", "text", one, [], None, START, "free", None) for one in CONTENTS]


def pairs() -> list[PairRow]:
    """Each member goes through the contents in one order, from another start."""
    found = []
    for member in range(30):
        for step in range(6):
            when = at(member * 7 + step * 3)
            found.append(PairRow(f"m{member}", CONTENTS[(member + step) % 12], 10, None, None, when, when))
    return found


def learned(rows: list[PairRow], outcomes: int = 10_000) -> LearningCopy:
    copy = LearningCopy(BOUNDS, model)
    copy.take_items(items())
    copy.take_pairs(rows)
    copy.taken()
    for _ in copy.learn(outcomes):
        pass
    return copy


def test_given_rows_in_any_order_when_learned_from_then_the_ranker_learns_the_same() -> None:
    shuffled = pairs()
    random.Random(3).shuffle(shuffled)
    first, second = learned(pairs()), learned(shuffled)
    assert first.model.ranker.outcomes == second.model.ranker.outcomes > 100
    ranked = [copy.model.ranked("m1", 10**16).items.tolist() for copy in (first, second)]
    names = [
        [copy.model.standing.items.name(one) for one in items]
        for copy, items in zip((first, second), ranked, strict=True)
    ]
    assert names[0] == names[1]


def test_given_a_bound_when_the_past_is_long_then_only_its_newest_part_teaches() -> None:
    copy = learned(pairs(), outcomes=20)
    assert 0 < copy.model.ranker.outcomes <= 20
    assert copy.model.standing.profile("m1", 0).length == 6


def test_given_pairs_learned_once_when_asked_again_then_nothing_is_left_to_learn() -> None:
    copy = learned(pairs())
    before = copy.model.ranker.outcomes
    assert list(copy.learn(10_000)) == [] and copy.model.ranker.outcomes == before


def test_given_a_learning_copy_when_all_is_taken_then_it_holds_what_a_plain_copy_holds() -> None:
    plain = Copy(BOUNDS, model)
    plain.take_items(items())
    plain.take_pairs(pairs())
    plain.taken()
    found = learned(pairs())
    for member in ("m0", "m7", "m29"):
        profiles = [copy.model.standing.profile(member, 0) for copy in (plain, found)]
        names = [
            [copy.model.standing.items.name(one) for one in profile.items.tolist()]
            for copy, profile in zip((plain, found), profiles, strict=True)
        ]
        assert names[0] == names[1]


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with housed(DEFINITION, postgres_url, tmp_path, House) as one:
        yield one


async def filled(house: House) -> None:
    async with house.pool.connection() as conn, conn.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO content_item (content_id, creator_id, kind, title, tags, published_at, access) "
            "VALUES (%s, 'cr', 'text', 't', '[]', %s, 'free')",
            [(one.content_id, one.published_at) for one in items()],
        )
        await cursor.executemany(
            "INSERT INTO interaction (member_id, content_id, weight, first_at, last_at) VALUES (%s, %s, %s, %s, %s)",
            [(one.member_id, one.content_id, one.weight, one.first_at, one.last_at) for one in pairs()],
        )


def teacher(house: House) -> tuple[Teacher, LiveFactors]:
    factors = LiveFactors(PostgresFactTables(house.pool), LearningCopy(BOUNDS, partial(model, 7)))
    return Teacher(factors, States(house.pool), TrainedElsewhere(house.pool)), factors


async def test_given_what_one_process_learned_when_another_serves_then_it_ranks_by_it(house: House) -> None:
    await filled(house)
    one, factors = teacher(house)
    await one.begin()
    serving, states = model(8), States(house.pool)
    assert await states.load(serving) and states.version != UNLEARNED
    features = factors.copy.model.ranked("m1", 10**16).panel.features
    assert np.array_equal(serving.ranker.scores(features), factors.copy.model.ranker.scores(features))
    assert not await states.load(serving), "it is there already"


async def test_given_a_saved_state_when_the_process_starts_again_then_the_past_is_not_learned_twice(
    house: House,
) -> None:
    await filled(house)
    first, _ = teacher(house)
    await first.begin()
    second, factors = teacher(house)
    await second.begin()
    assert factors.copy.model.ranker.outcomes == 0
    assert factors.copy.model.standing.profile("m1", 0).length == 6


async def test_given_vectors_trained_elsewhere_when_published_then_servers_use_them_and_keep_them(house: House) -> None:
    names, rows = tuple(CONTENTS[:2]), np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32)
    none = Vectors((), np.zeros((0, 3), dtype=np.float32))
    trained = Trained("lightfm", Origin("1:1:", ()), items=Vectors(names, rows), features=none, tastes=none)
    async with house.pool.connection() as conn:
        await publish(conn, trained, took_ms=1)
    copy, elsewhere = Copy(BOUNDS, model), TrainedElsewhere(house.pool)
    assert await elsewhere.load(copy.model) and not await elsewhere.load(copy.model)
    for one in (copy, copy.emptied()):
        one.take_items(items())
        one.take_pairs(pairs()[:1])
        one.taken()
        assert one.model.given.scores(one.model.standing.profile("m0", 0), len(CONTENTS)), "they have something to say"
    async with house.pool.connection() as conn:
        await conn.execute("UPDATE trained_factors_chunk SET body = 'damaged'")
    with pytest.raises(FactorsRefused):
        await TrainedElsewhere(house.pool).load(model())


async def test_given_a_running_installation_when_evaluated_then_its_own_signals_are_the_events(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(house)
    for name, value in {"DATABASE_URL": house.url, "KAFKA_BOOTSTRAP": "unused", "KEY_DIR": "unused"}.items():
        monkeypatch.setenv(name, value)
    events, tags = await asyncio.to_thread(read_stored, None, None)
    assert len(events) == len(pairs()) and set(tags) == set(CONTENTS)
    some, _ = await asyncio.to_thread(read_stored, at(10), at(20))
    assert sorted(one.unix_time for one in some) == sorted(
        int(one.first_at.timestamp()) for one in pairs() if at(10) <= one.first_at < at(20)
    )
    with pytest.raises(WrongFile, match="no signals"):
        await asyncio.to_thread(read_stored, at(-9), at(-8))
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(WrongFile, match="set DATABASE_URL"):
        read_stored(None, None)


async def test_given_a_state_of_another_build_when_loaded_then_it_is_refused_and_learning_begins_anew(
    house: House,
) -> None:
    await filled(house)
    async with house.pool.connection() as conn:
        await conn.execute("INSERT INTO learned_state (name, version, body) VALUES ('model', 'x', 'no state')")
    with pytest.raises(StateRefused):
        await States(house.pool).load(model())
    one, factors = teacher(house)
    await one.begin()
    assert factors.copy.model.ranker.outcomes > 100
    assert await States(house.pool).load(model())
