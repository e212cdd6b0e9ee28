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
from psycopg.types.json import Jsonb

from reco.bootstrap import DEFINITION
from reco.evaluation.files import WrongFile
from reco.evaluation.stored import read_stored
from reco.model.model import Model
from reco.model.offers import Offer
from reco.model.rows import Item, Pair
from reco.model.settings import Settings
from reco.model.state import StateRefused
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.learning import LearningCopy
from reco.recommendation.application.live_factors import LiveFactors
from reco.recommendation.application.pairs import Bounds
from reco.recommendation.following import LEARNED_FROM, PostgresFactTables
from reco.recommendation.projections import ImpressionRow, ItemRow, PairRow
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


def shown(
    answer: str, member: str, minute: float, contents: str, propensity: float | None = 0.5, on: bool = True
) -> ImpressionRow:
    """Contents as letters, for short."""
    items = [{"content_id": CONTENTS["abcdefghijkl".index(one)], "propensity": propensity} for one in contents]
    when = START + timedelta(minutes=minute)
    return ImpressionRow(answer, member, "home", "hybrid", "blend", None, None, on, items, when)


def impressions() -> list[ImpressionRow]:
    """Each member is shown all contents a minute before each step."""
    return [
        shown(f"{member}/{step}", f"m{member}", member * 7 + step * 3 - 1, "abcdefghijkl")
        for member in range(30)
        for step in range(6)
    ]


def taught(rows: list[PairRow], answers: list[ImpressionRow], offers: int = 1_000) -> LearningCopy:
    copy = LearningCopy(BOUNDS, model)
    copy.take_items(items())
    copy.take_impressions(answers)
    copy.take_pairs(rows)
    copy.taken()
    for _ in copy.learn(10_000, offers):
        pass
    return copy


def weights(copy: LearningCopy) -> list[float]:
    """Everything that the ranker has learned."""
    arrays = [array for array in copy.model.ranker.state().values() if array.dtype.kind == "f"]
    return [float(one) for array in arrays for one in array.flat]


def test_given_answers_when_members_take_of_them_then_each_take_teaches_once_more() -> None:
    without, found = taught(pairs(), []), taught(pairs(), impressions())
    assert found.model.offers.chosen == len(pairs())
    assert found.model.ranker.outcomes == without.model.ranker.outcomes + len(pairs())
    assert weights(found) != weights(without)


def test_given_answers_and_rows_in_any_order_and_again_when_learned_from_then_the_ranker_learns_the_same() -> None:
    rows, answers = pairs() * 2, impressions() * 2
    random.Random(3).shuffle(rows)
    random.Random(4).shuffle(answers)
    assert weights(taught(rows, answers)) == weights(taught(pairs(), impressions()))


def test_given_answers_learned_from_when_they_are_delivered_again_then_nothing_is_learned() -> None:
    copy = taught(pairs(), impressions())
    before = weights(copy), copy.model.offers.chosen
    copy.take_impressions(impressions())
    copy.take_pairs(pairs())
    copy.taken()
    for _ in copy.learn(10_000, 1_000):
        pass
    assert (weights(copy), copy.model.offers.chosen) == before


def test_given_answers_when_the_order_between_two_reads_differs_then_what_came_after_the_take_teaches_nothing() -> None:
    """As with pairs: what comes after the member's next step cannot be told from what the step has taught."""
    copy = taught([PairRow("m0", CONTENTS[0], 10, None, None, at(5), at(5))], [])
    copy.take_impressions([shown("late", "m0", 4, "abc"), shown("next", "m0", 6, "bc")])
    copy.take_pairs([PairRow("m0", CONTENTS[1], 10, None, None, at(7), at(7))])
    copy.taken()
    for _ in copy.learn(10_000, 1_000):
        pass
    assert copy.model.offers.chosen == 1
    assert len(copy.model.offers) == 1


@pytest.mark.parametrize(
    "answer",
    [
        shown("x", "m0", 1, "abc", None),
        shown("x", "m0", 1, "abc", 0.0),
        shown("x", "m0", 1, "abc", on=False),
        shown("x", "m0", 1, "bcd"),
        shown("x", "m0", 1, "a"),
        shown("x", "m0", 2, "abc"),
        shown("x", "m0", 1 - 24 * 60, "abc"),
        shown("x", "m1", 1, "abc"),
    ],
    ids=["no propensity", "no chance", "not personal", "not shown", "no choice", "shown after", "too old", "another"],
)
def test_given_an_answer_that_says_nothing_when_a_content_is_taken_then_only_the_outcome_teaches(
    answer: ImpressionRow,
) -> None:
    taken = [PairRow("m0", CONTENTS[0], 10, None, None, START + timedelta(minutes=1, seconds=59), at(2))]
    copy = taught(taken, [answer])
    assert copy.model.offers.chosen == 0 and copy.model.ranker.outcomes == 1


def test_given_an_answer_of_the_same_second_when_a_content_is_taken_then_it_counts() -> None:
    when = at(2) + timedelta(milliseconds=300)
    copy = taught([PairRow("m0", CONTENTS[0], 10, None, None, when, when)], [shown("x", "m0", 2, "abc")])
    assert copy.model.offers.chosen == 1


def test_given_a_content_that_candidates_lack_when_it_was_shown_then_its_features_are_those_of_any_ranking() -> None:
    """A filter may have brought it up. What the ranker reads is as if it were among the candidates."""
    one = Model(Settings(replay=16, candidates_per_source=2), np.random.default_rng(1))
    one.take_items([Item(content) for content in CONTENTS])
    one.take([Pair(f"m{at}", CONTENTS[at % 3], at, at, 1.0) for at in range(9)])
    candidates = one.ranked("new", 50).items.tolist()
    rare = next(content for content in CONTENTS if one.standing.items.number(content) not in candidates)
    usual = one.standing.items.name(candidates[0])
    assert one.show(Offer("x", "new", 50, (rare, usual, "unknown"), (0.5, 0.5, 0.5)))
    choice = one.offers.choose("new", rare, 51)
    assert choice is not None and choice.features.shape[0] == 2 and choice.taken == 0
    whole = one.ranked("new", 50, lambda content: content in {*map(one.standing.items.name, candidates), rare}).panel
    rows = [whole.items.tolist().index(one.standing.items.number(content)) for content in (rare, usual)]
    assert choice.features == pytest.approx(whole.features[rows], abs=2e-3)


def test_given_more_answers_than_are_looked_at_when_learned_from_then_the_newest_count() -> None:
    copy = taught(pairs(), impressions(), offers=10)
    assert 0 < copy.model.offers.chosen <= 10
    assert taught(pairs(), impressions(), offers=0).model.offers.chosen == 0


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
    factors = LiveFactors(PostgresFactTables(house.pool, LEARNED_FROM), LearningCopy(BOUNDS, partial(model, 7)))
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


async def test_given_impressions_in_the_tables_when_a_member_takes_of_one_then_the_process_learns_from_it(
    house: House,
) -> None:
    await filled(house)
    one, factors = teacher(house)
    await one.begin()
    assert factors.copy.model.offers.chosen == 0
    now = at(600)
    async with house.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO impression "
            "(answer_id, member_id, slot, method, model_version, personalised, items, occurred_at) VALUES "
            "('x', 'new', 'home', 'hybrid', 'blend', true, %s, %s)",
            [Jsonb([{"content_id": content, "propensity": 0.25} for content in CONTENTS[:4]]), now],
        )
    await one.step()
    assert len(factors.copy.model.offers) == 1
    async with house.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO interaction (member_id, content_id, weight, first_at, last_at) "
            "VALUES ('new', 'c2', 1, %s, %s)",
            [now + timedelta(minutes=1)] * 2,
        )
    await one.step()
    assert factors.copy.model.offers.chosen == 1


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
