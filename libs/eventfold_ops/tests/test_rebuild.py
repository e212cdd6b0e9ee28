"""A projection is folded anew beside the live one and takes its place, while appends and the worker go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from deployed import command, deployment
from house import House
from processes import running
from relaying import eventually, relaying
from shelf import TOPIC
from working import SHELVES, as_recorded, folded_as_recorded, loading, publish, worker

from eventfold.errors import NotFound
from eventfold.topics import administrator, prepare_topics
from eventfold_ops import compare, rebuild, replay
from eventfold_ops.rebuild import RebuildRunning

REBUILDER = Path(__file__).parent / "support" / "slow_rebuild.py"


@pytest.fixture
async def relayed(house: House, kafka_bootstrap: str) -> AsyncIterator[None]:
    await prepare_topics(kafka_bootstrap, [house.prefix + TOPIC], partitions=4)
    async with relaying(house, kafka_bootstrap):
        yield


def shadow_of(house: House) -> str:
    return f"{house.prefix[:-1]}_shadow"


async def damage(house: House) -> None:
    await house.rows("UPDATE shelf_count SET books = books + 7, digest = 'torn' WHERE shelf < 'shelf-2' RETURNING 1")
    await house.rows("DELETE FROM shelf_count WHERE shelf = 'shelf-33' RETURNING 1")


async def grow(house: House, bootstrap: str) -> None:
    assert await command(replay, deployment(house, bootstrap), TOPIC, "--partitions", "8") == 0

    async def crossed() -> bool:
        return len(await house.rows("SELECT 1 FROM fold_position WHERE topic LIKE '%.g2'")) == 8

    await eventually(crossed, 60)


async def indexes(house: House) -> list[tuple[object, ...]]:
    return await house.rows(
        "SELECT indexname, regexp_replace(indexdef, ' ON .* USING', '') FROM pg_indexes "
        "WHERE schemaname = current_schema() AND tablename = 'shelf_count' ORDER BY 1"
    )


@pytest.mark.usefixtures("relayed")
async def test_damaged_rows_are_healed_under_load_and_the_worker_just_goes_on(
    house: House, kafka_bootstrap: str
) -> None:
    async with house.pool.connection() as conn:
        await conn.execute("CREATE INDEX shelf_count_by_books ON shelf_count (books DESC) WHERE books > 3")
    as_migrated = await indexes(house)
    with worker(house, kafka_bootstrap) as live:
        await publish(house, 0)
        await folded_as_recorded(house)
        await damage(house)
        async with loading(house, "during"):
            assert await command(rebuild, deployment(house, kafka_bootstrap), "counting") == 0
        await publish(house, 1)
        await folded_as_recorded(house)
        assert live.poll() is None, "the worker never halted"
    assert await indexes(house) == as_migrated and len(as_migrated) == 2
    assert await house.rows(f"SELECT to_regclass('{shadow_of(house)}.shelf_count')::text") == [(None,)]
    assert await house.rows(f"SELECT 1 FROM {shadow_of(house)}.fold_position") == []


@pytest.mark.parametrize("grown_meanwhile", [False, True])
@pytest.mark.usefixtures("relayed")
async def test_a_rebuild_killed_in_the_middle_is_resumed(
    house: House, kafka_bootstrap: str, grown_meanwhile: bool
) -> None:
    shadow = shadow_of(house)
    with worker(house, kafka_bootstrap):
        await publish(house, 0)
        await folded_as_recorded(house)
        await damage(house)
        with running(REBUILDER, house, kafka_bootstrap) as killed:

            async def half_way() -> bool:
                assert killed.poll() is None, "the rebuild was not slow enough to be killed"
                found = await house.rows(f"SELECT to_regclass('{shadow}.fold_position')::text")
                return found != [(None,)] and await house.rows(f"SELECT 1 FROM {shadow}.fold_position") != []

            await eventually(half_way, 60)
        assert not await as_recorded(house), "nothing was swapped"
        folded = await house.rows(f"SELECT sum(books)::int FROM {shadow}.shelf_count")
        assert isinstance(folded[0][0], int) and folded[0][0] > 0
        if grown_meanwhile:
            await grow(house, kafka_bootstrap)
        assert await command(rebuild, deployment(house, kafka_bootstrap), "counting") == 0
        await publish(house, 1)
        await folded_as_recorded(house)


@pytest.mark.usefixtures("relayed")
async def test_after_a_growth_the_new_generation_alone_is_enough(house: House, kafka_bootstrap: str) -> None:
    with worker(house, kafka_bootstrap):
        await publish(house, 0)
        await grow(house, kafka_bootstrap)
    async with administrator(kafka_bootstrap) as admin:
        await admin.delete_topics([house.prefix + TOPIC])
    await damage(house)
    assert await command(rebuild, deployment(house, kafka_bootstrap), "counting") == 0
    assert await as_recorded(house)
    with worker(house, kafka_bootstrap):
        await publish(house, 1)
        await folded_as_recorded(house)


@pytest.mark.usefixtures("relayed")
async def test_compare_says_equal_then_finds_a_damaged_row_and_changes_nothing(
    house: House, kafka_bootstrap: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed = deployment(house, kafka_bootstrap)
    with worker(house, kafka_bootstrap):
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


async def test_what_does_not_exist_is_refused_by_name(house: House, kafka_bootstrap: str) -> None:
    with pytest.raises(NotFound, match="it has counting"):
        await command(rebuild, deployment(house, kafka_bootstrap), "cuonting")


async def test_a_second_rebuild_of_the_same_projection_is_refused(house: House, kafka_bootstrap: str) -> None:
    async with await house.connect() as other:
        await other.execute("SELECT pg_advisory_lock(hashtextextended(current_schema() || '|rebuild|counting', 0))")
        with pytest.raises(RebuildRunning):
            await asyncio.wait_for(command(rebuild, deployment(house, kafka_bootstrap), "counting"), 20)
