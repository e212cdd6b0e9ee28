"""A projection is folded anew beside the live one and takes its place, while appends and the worker go on."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deployed import command, deployment
from house import House, context
from processes import running
from psycopg import OperationalError
from relaying import eventually, everything_acknowledged, relaying
from shelf import COUNTING, TOPIC, JsonInsteadOfAvro, add, count
from shelf_model import Model
from working import SHELVES, as_recorded, folded_as_recorded, loading, publish, worker

from eventfold import FoldGroup
from eventfold.errors import NotFound
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import administrator, prepare_topics
from eventfold_ops import compare, comparing, dlq, rebuild, replay
from eventfold_ops.at_live import RebuildRunning

REBUILDER = Path(__file__).parent / "support" / "slow_rebuild.py"
SICK = "sick"
HEALED = replace(COUNTING, fold=count)


@pytest.fixture
async def relayed(house: House, brokers: Brokers) -> AsyncIterator[None]:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=4)
    async with relaying(house, brokers):
        yield


def shadow_of(house: House) -> str:
    return f"{house.prefix[:-1]}_shadow"


async def damage(house: House) -> None:
    await house.rows("UPDATE shelf_count SET books = books + 7, digest = 'torn' WHERE shelf < 'shelf-2' RETURNING 1")
    await house.rows("DELETE FROM shelf_count WHERE shelf = 'shelf-33' RETURNING 1")


async def grow(house: House, brokers: Brokers) -> None:
    assert await command(replay, deployment(house, brokers), TOPIC, "--partitions", "8") == 0

    async def crossed() -> bool:
        return len(await house.rows("SELECT 1 FROM fold_position WHERE topic LIKE '%.g2'")) == 8

    await eventually(crossed, 60)


async def indexes(house: House) -> list[tuple[object, ...]]:
    return await house.rows(
        "SELECT indexname, regexp_replace(indexdef, ' ON .* USING', '') FROM pg_indexes "
        "WHERE schemaname = current_schema() AND tablename = 'shelf_count' ORDER BY 1"
    )


@pytest.mark.usefixtures("relayed")
async def test_damaged_rows_are_healed_under_load_and_the_worker_just_goes_on(house: House, brokers: Brokers) -> None:
    async with house.pool.connection() as conn:
        await conn.execute("CREATE INDEX shelf_count_by_books ON shelf_count (books DESC) WHERE books > 3")
    as_migrated = await indexes(house)
    with worker(house, brokers) as live:
        await publish(house, 0)
        await folded_as_recorded(house)
        await damage(house)
        async with loading(house, "during"):
            assert await command(rebuild, deployment(house, brokers), "counting") == 0
        await publish(house, 1)
        await folded_as_recorded(house)
        assert live.poll() is None, "the worker never halted"
    assert await indexes(house) == as_migrated and len(as_migrated) == 2
    assert await house.rows(f"SELECT to_regclass('{shadow_of(house)}.shelf_count')::text") == [(None,)]
    assert await house.rows(f"SELECT 1 FROM {shadow_of(house)}.fold_position") == []


async def kill_a_rebuild_half_way(house: House, brokers: Brokers) -> None:
    shadow = shadow_of(house)
    with running(REBUILDER, house, brokers) as killed:

        async def half_way() -> bool:
            assert killed.poll() is None, "the rebuild was not slow enough to be killed"
            found = await house.rows(f"SELECT to_regclass('{shadow}.fold_position')::text")
            return found != [(None,)] and await house.rows(f"SELECT 1 FROM {shadow}.fold_position") != []

        await eventually(half_way, 60)
    assert not await as_recorded(house), "nothing was swapped"
    folded = await house.rows(f"SELECT sum(books)::int FROM {shadow}.shelf_count")
    assert isinstance(folded[0][0], int) and folded[0][0] > 0


@pytest.mark.usefixtures("relayed")
async def test_a_rebuild_that_another_build_began_is_not_resumed(house: House, brokers: Brokers) -> None:
    with worker(house, brokers):
        await publish(house, 0)
        await folded_as_recorded(house)
        await damage(house)
        await kill_a_rebuild_half_way(house, brokers)
        await house.rows(f"UPDATE {shadow_of(house)}.shelf_count SET digest = 'as the old code had it' RETURNING 1")
        deployed = replace(deployment(house, brokers), build="next")
        assert await command(rebuild, deployed, "counting") == 0
        assert await as_recorded(house)


@pytest.mark.parametrize("grown_meanwhile", [False, True])
@pytest.mark.usefixtures("relayed")
async def test_a_rebuild_killed_in_the_middle_is_resumed(house: House, brokers: Brokers, grown_meanwhile: bool) -> None:
    with worker(house, brokers):
        await publish(house, 0)
        await folded_as_recorded(house)
        await damage(house)
        await kill_a_rebuild_half_way(house, brokers)
        if grown_meanwhile:
            await grow(house, brokers)
        assert await command(rebuild, deployment(house, brokers), "counting") == 0
        await publish(house, 1)
        await folded_as_recorded(house)


async def put_on_the_sick_shelf(house: House, model: Model, *titles: str) -> None:
    """Record these and wait until the worker has them; those from the first poison on are parked, says the model."""
    for title in titles:
        await house.store.handle(add(SICK, title), context())
        model.committed(SICK, title)
    model.consumed(SICK, len(model.public(SICK)))
    await eventually(lambda: parked_as(house, model), 60)


async def parked_as(house: House, model: Model) -> bool:
    """Whether what is parked, in the order of redriving, is what the model says."""
    async with house.pool.connection() as conn:
        letters = await dlq.parked(conn, COUNTING.name)
        contents = [await dlq.content(conn, COUNTING.name, one.event_id) for one in letters]
    found = [(one.letter.record_key, JsonInsteadOfAvro().decode(one.value)["title"]) for one in contents]
    return found == [(SICK, title) for _, title in model.keys[SICK].parked]


async def sick_shelf(house: House) -> list[tuple[object, ...]]:
    return await house.rows(f"SELECT '{SICK}', books, digest FROM shelf_count WHERE shelf = 'shelf-{SICK}'")


async def parked_in_the_shadow(house: House, rebuilding: subprocess.Popen[bytes]) -> bool:
    assert rebuilding.poll() is None, "the rebuild was not slow enough"
    table = f"{shadow_of(house)}.dead_letter"
    there = await house.rows(f"SELECT to_regclass('{table}')::text") != [(None,)]
    return there and await house.rows(f"SELECT 1 FROM {table}") != []


async def parked_and_damaged(house: House, model: Model) -> None:
    await put_on_the_sick_shelf(house, model, "a", "poison", "b")
    await publish(house, 0)
    await eventually(lambda: everything_acknowledged(house), 60)
    await damage(house)


async def rebuilt_while_more_is_parked(house: House, brokers: Brokers, model: Model, *, killed: bool) -> None:
    with running(REBUILDER, house, brokers) as rebuilding:
        await eventually(lambda: parked_in_the_shadow(house, rebuilding), 60)
        await put_on_the_sick_shelf(house, model, "c", "d")
        assert rebuilding.poll() is None, "it came while the rebuild ran"
        if not killed:
            assert await asyncio.to_thread(rebuilding.wait, 60) == 0
    if killed:
        assert await command(rebuild, deployment(house, brokers), "counting") == 0


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.usefixtures("relayed")
async def test_what_is_parked_before_and_during_a_rebuild_is_parked_after_it_in_order_and_redriven(
    house: House, brokers: Brokers, killed: bool
) -> None:
    """Given a parked key, when more of it comes while the projection is folded anew (in one go, or killed and resumed),
    then all of it is parked after the swap, with what comes then behind it; redriven, it is what the model says."""
    model = Model()
    with worker(house, brokers) as live:
        await parked_and_damaged(house, model)
        await rebuilt_while_more_is_parked(house, brokers, model, killed=killed)
        assert await parked_as(house, model) and await sick_shelf(house) == model.rows()
        await put_on_the_sick_shelf(house, model, "e")
        async with house.pool.connection() as conn:
            assert await dlq.redrive(conn, HEALED, JsonInsteadOfAvro(), SICK) == 5
        model.redriven(SICK)
        assert await parked_as(house, model) and await sick_shelf(house) == model.rows()
        await put_on_the_sick_shelf(house, model, "f")
        await folded_as_recorded(house)
        assert await sick_shelf(house) == model.rows() and live.poll() is None


@pytest.mark.usefixtures("relayed")
async def test_a_rebuild_by_a_healed_fold_leaves_nothing_parked_to_be_redriven_twice(
    house: House, brokers: Brokers
) -> None:
    model = Model()
    healed = replace(deployment(house, brokers), groups=(FoldGroup("shelves", (HEALED,), parks=True),))
    with worker(house, brokers):
        await put_on_the_sick_shelf(house, model, "a", "poison", "b")
        assert await command(rebuild, healed, "counting") == 0
        model.redriven(SICK)
        assert await parked_as(house, model) and await sick_shelf(house) == model.rows()
        await put_on_the_sick_shelf(house, model, "c")
        await folded_as_recorded(house)


@pytest.mark.usefixtures("relayed")
async def test_after_a_growth_the_new_generation_alone_is_enough(house: House, brokers: Brokers) -> None:
    with worker(house, brokers):
        await publish(house, 0)
        await grow(house, brokers)
    async with administrator(brokers) as admin:
        await admin.delete_topics([house.prefix + TOPIC])
    await damage(house)
    assert await command(rebuild, deployment(house, brokers), "counting") == 0
    assert await as_recorded(house)
    with worker(house, brokers):
        await publish(house, 1)
        await folded_as_recorded(house)


@pytest.mark.usefixtures("relayed")
async def test_compare_says_equal_then_finds_a_damaged_row_and_changes_nothing(
    house: House, brokers: Brokers, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed = deployment(house, brokers)
    with worker(house, brokers):
        await publish(house, 0)
        async with loading(house, "during"):
            assert await command(compare, deployed, "counting") == 0
        assert "shelf_count: equal" in capsys.readouterr().out
        assert await command(compare, deployed, "counting", "--json") == 0
        assert '"equal":true' in capsys.readouterr().out
        await folded_as_recorded(house)
        await house.rows("UPDATE shelf_count SET digest = digest || 'x' WHERE shelf = 'shelf-7' RETURNING 1")
        assert await command(rebuild, deployed, "counting", "--compare-only") == 1
    said = capsys.readouterr().out
    assert "shelf_count: DIFFERENT" in said and said.rstrip().endswith("first keys: shelf-7")
    assert not await as_recorded(house), "a comparison heals nothing"
    assert await house.rows(f"SELECT count(*)::int FROM shelf_count WHERE books >= {SHELVES}") == [(SHELVES,)]


@pytest.mark.usefixtures("relayed")
async def test_the_worker_goes_on_while_what_it_had_is_compared(
    house: House, brokers: Brokers, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = comparing.compare

    async def after_a_while(*arguments: Any) -> comparing.Compared:
        await publish(house, 1)
        await folded_as_recorded(house, 20)
        return await whole(*arguments)

    monkeypatch.setattr(comparing, "compare", after_a_while)
    with worker(house, brokers):
        await publish(house, 0)
        await folded_as_recorded(house)
        assert await command(compare, deployment(house, brokers), "counting") == 0
    assert f"shelf_count: equal, {SHELVES} rows" in capsys.readouterr().out
    assert await house.rows(f"SELECT to_regclass('{shadow_of(house)}.shelf_count')::text") == [(None,)]


@pytest.mark.usefixtures("relayed")
async def test_a_comparison_that_fails_leaves_nothing_behind(
    house: House, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = comparing.compare

    async def failing(*arguments: Any) -> comparing.Compared:
        await whole(*arguments)
        raise OperationalError("away")

    monkeypatch.setattr(comparing, "compare", failing)
    with pytest.raises(OperationalError, match="away"):
        await asyncio.wait_for(command(compare, deployment(house, brokers), "counting"), 20)
    assert await house.rows(f"SELECT to_regclass('{shadow_of(house)}.shelf_count')::text") == [(None,)]


async def test_what_does_not_exist_is_refused_by_name(house: House, brokers: Brokers) -> None:
    with pytest.raises(NotFound, match="it has counting"):
        await command(rebuild, deployment(house, brokers), "cuonting")


async def test_a_second_rebuild_of_the_same_projection_is_refused(house: House, brokers: Brokers) -> None:
    async with await house.connect() as other:
        await other.execute("SELECT pg_advisory_lock(hashtextextended(current_schema() || '|rebuild|counting', 0))")
        with pytest.raises(RebuildRunning):
            await asyncio.wait_for(command(rebuild, deployment(house, brokers), "counting"), 20)


async def test_what_a_rebuild_left_before_a_migration_is_not_gone_on_with(
    house: House, brokers: Brokers, relayed: str
) -> None:
    deployed, shadow = deployment(house, brokers), f"{house.prefix.rstrip('.')}_shadow"
    with worker(house, brokers):
        await publish(house, 0)
        await folded_as_recorded(house)
    assert await command(rebuild, deployed, "counting") == 0
    async with house.pool.connection() as conn:
        await conn.execute(f"ALTER TABLE {shadow}.fold_position DROP COLUMN closed")
        await conn.execute(f"CREATE TABLE {shadow}.shelf_count (LIKE shelf_count)")
    assert await command(rebuild, deployed, "counting") == 0
    await folded_as_recorded(house)
