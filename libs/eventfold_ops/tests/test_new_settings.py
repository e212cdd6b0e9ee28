"""A projection whose rows depend on a setting: commands compare it, and only a rebuild changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from deployed import command
from examined import change, of
from house import House
from shelf import COUNTING, CountRow, JsonInsteadOfAvro

from eventfold import Changes, FoldGroup, Projection, PublicRecord, Rows
from eventfold.errors import BuiltUnderOther
from eventfold.fold.readmodel import settings_of
from eventfold.postgres import built_under
from eventfold_ops import compare, dlq, rebuild, shadow
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.examining import examine
from eventfold_ops.failures import sentence

RECORDED = "SELECT setting, value FROM built_under WHERE projection = 'counting'"
DIGESTS = "SELECT DISTINCT digest FROM shelf_count"
SHADOWS = "SELECT 1 FROM pg_namespace WHERE nspname = current_schema() || '_shadow'"


def counting(mark: str) -> Projection:
    """Writes the value of its setting into each row."""

    def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        found = COUNTING.fold(rows, events)
        return {name: {key: _marked(row, mark) for key, row in kept.items()} for name, kept in found.items()}

    return replace(COUNTING, fold=fold, built_under={"MARK": mark})


def _marked(row: CountRow, mark: str) -> CountRow:
    return row._replace(digest=mark)


def under(deployed: Deployment, mark: str) -> Deployment:
    return replace(deployed, groups=(FoldGroup("shelves", (counting(mark),), parks=True),))


@pytest.fixture
async def old(house: House, healthy: Deployment) -> Deployment:
    """Rows built under MARK=old, as a process with that setting sees them."""
    built = under(healthy, "old")
    assert await command(rebuild, built, "counting") == 0
    assert await house.rows(RECORDED) == [("MARK", "old")] and await house.rows(DIGESTS) == [("old",)]
    return built


@pytest.mark.parametrize("arguments", [(), ("--fresh",), ("--compare-only",)])
async def test_a_rebuild_under_another_value_is_refused_before_it_begins(
    house: House, old: Deployment, arguments: tuple[str, ...]
) -> None:
    await change(house, f"DROP SCHEMA {house.prefix[:-1]}_shadow CASCADE")
    with pytest.raises(BuiltUnderOther) as refused:
        await command(rebuild, under(old, "new"), "counting", *arguments)
    assert "built under MARK=old, and this process has MARK=new: set it back, or run" in sentence(refused.value)
    assert await house.rows(DIGESTS) == [("old",)] and await house.rows(SHADOWS) == []


async def test_a_comparison_and_a_redrive_under_another_value_are_refused(house: House, old: Deployment) -> None:
    with pytest.raises(BuiltUnderOther):
        await command(compare, under(old, "new"), "counting")
    async with house.pool.connection() as conn:
        with pytest.raises(BuiltUnderOther):
            await dlq.redrive(conn, counting("new"), JsonInsteadOfAvro(), "s0")


async def test_a_rebuild_with_new_settings_changes_rows_and_record_together(
    house: House, old: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given rows built under one value, when they are rebuilt with another, then the rows and the record have the new
    one, the command says what to restart, and whoever has the old one is refused."""
    new = under(old, "new")
    assert await command(rebuild, new, "counting", "--new-settings") == 0
    assert capsys.readouterr().out.endswith("now restart the service's servers and workers with MARK=new\n")
    assert await house.rows(RECORDED) == [("MARK", "new")] and await house.rows(DIGESTS) == [("new",)]
    async with house.pool.connection() as conn:
        await built_under.keep(conn, settings_of(new.projections))
        with pytest.raises(BuiltUnderOther, match="MARK=new, and this process has MARK=old"):
            await built_under.keep(conn, settings_of(old.projections))
    assert await command(compare, new, "counting") == 0


async def test_a_rebuild_with_new_settings_that_fails_changes_nothing(
    house: House, old: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shadow.swap

    async def failing(*arguments: object) -> None:
        await whole(*arguments)  # type: ignore[arg-type]
        raise ConnectionError("away")

    monkeypatch.setattr(shadow, "swap", failing)
    with pytest.raises(ConnectionError):
        await command(rebuild, under(old, "new"), "counting", "--new-settings")
    assert await house.rows(RECORDED) == [("MARK", "old")] and await house.rows(DIGESTS) == [("old",)]


async def test_what_a_killed_rebuild_folded_under_other_settings_is_not_gone_on_with(
    house: House, old: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a rebuild under new settings that was killed before its swap, when one under the old ones runs, then no row
    of the first is served."""
    with monkeypatch.context() as broken:
        broken.setattr(shadow, "swap", _away)
        with pytest.raises(ConnectionError):
            await command(rebuild, under(old, "new"), "counting", "--new-settings")
    left = await house.rows(f"SELECT DISTINCT digest FROM {house.prefix[:-1]}_shadow.shelf_count")
    assert left == [("new",)]
    assert await command(rebuild, old, "counting") == 0
    assert await house.rows(RECORDED) == [("MARK", "old")] and await house.rows(DIGESTS) == [("old",)]


async def _away(*_: object) -> None:
    raise ConnectionError("away")


@pytest.mark.parametrize("quick", [True, False])
async def test_the_doctor_finds_another_value_broken_and_says_what_to_do(old: Deployment, quick: bool) -> None:
    found = of(await examine(under(old, "new"), quick=quick), "settings of counting")
    assert found.state == "broken" and found.says == "counting was built under MARK=old, and this process has MARK=new"
    assert found.next_step.startswith("set it back, or run `rebuild counting --new-settings`")
    assert of(await examine(old, quick=quick), "settings").state == "ok"
