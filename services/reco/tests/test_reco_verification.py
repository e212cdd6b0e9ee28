"""`reco verify`: a model that came to its rows by detours equals a refit; a model that does not is found out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco.bootstrap import DEFINITION
from reco.model.model import Model
from reco.model.rows import SECOND_US, Pair
from reco.model.settings import Settings
from reco.verification import command
from reco.verification.check import Verified, compared, largest_difference, verify
from reco.verification.refit import refitted
from reco.verification.walk import walked
from servicekit.testing import House, housed

START = datetime(2026, 1, 1, tzinfo=UTC)
SMALL = Settings(max_history=4, replay=1)
Shown = pytest.CaptureFixture[str]

rows = st.builds(
    lambda member, content, at, strength: Pair(member, content, at * SECOND_US, at * SECOND_US, strength),
    st.sampled_from("mnopq"),
    st.sampled_from("abcdefgh"),
    st.integers(0, 10_000_000),
    st.sampled_from([1.0, 1.0, 3.0, 0.0, -1.0]),
)
sets = st.lists(rows, max_size=40, unique_by=lambda one: (one.member_id, one.content_id))


@settings(max_examples=100, deadline=None)
@given(sets, st.integers(0, 2**32 - 1))
def test_given_any_rows_when_verified_then_detours_and_refit_come_to_the_same(taken: list[Pair], seed: int) -> None:
    found = verify(taken, SMALL, np.random.default_rng(seed))
    assert found.equal, found
    assert [one.what for one in found.findings] == ["gram", "inverse", "popularity"]
    assert found.pairs == len(taken) and found.left_out == 0


def crowd() -> list[Pair]:
    chance = np.random.default_rng(3)
    drawn = {(int(chance.integers(60)), int(chance.integers(40))): int(chance.integers(10**9)) for _ in range(900)}
    return [Pair(f"m{member}", f"c{item}", at * 1_000, at * 1_000, 1.0) for (member, item), at in drawn.items()]


def test_given_rows_when_walked_then_the_inverse_was_brought_up_to_date_step_by_step() -> None:
    """Else the check would compare two refits."""
    model = Model(Settings(parts=("ease", "popular"), replay=1), np.random.default_rng(0))
    updated, update = [], model.inverse._updating
    model.inverse._updating = lambda *of: updated.append(of) or update(*of)  # type: ignore[func-returns-value, method-assign]
    walked(model, crowd(), np.random.default_rng(0))
    assert len(updated) > 20 and verify(crowd(), Settings(replay=1), np.random.default_rng(0)).equal


@pytest.mark.parametrize("part", ["gram", "inverse", "popularity", "nothing"])
def test_given_a_part_that_drifted_when_compared_then_it_and_no_other_is_found_different(part: str) -> None:
    pairs, model = crowd(), Model(Settings(parts=("ease", "popular"), replay=1), np.random.default_rng(0))
    model.take(pairs)
    model.settle()
    if part == "gram":
        model.gram.counts[0, 1] += 1
    if part == "inverse":
        model.inverse.values[2, 3] += 2e-8
    numbers = {name: number for number, name in enumerate(model.standing.items)}
    now_us = 10**12
    refit = refitted(pairs, numbers, 1_000, now_us, dense=True)
    if part == "popularity":
        refit.popularity[1, 5] += 1e-3
    found = {one.what: one.equal for one in compared(model, refit, now_us)}
    assert found == {one: one != part for one in ("gram", "inverse", "popularity")}


def test_given_numbers_that_are_none_when_compared_then_they_are_a_difference() -> None:
    ones = np.ones((3, 3))
    for bad in (np.nan, np.inf):
        broken = ones.copy()
        broken[1, 1] = bad
        assert largest_difference(ones, broken) == float("inf") and largest_difference(broken, broken) == float("inf")
    assert largest_difference(ones, ones) == 0.0 and largest_difference(np.zeros((0, 0)), np.zeros((0, 0))) == 0.0


def test_given_more_contents_than_matrices_may_hold_when_verified_then_it_says_so_and_compares_the_rest() -> None:
    found = verify(crowd(), Settings(max_dense_items=5, replay=1), np.random.default_rng(0))
    said = command.as_text(found)
    assert found.equal and said.count("RECO_MAX_DENSE_ITEMS") == 2 and found.findings[2].compared > 0


def test_given_more_rows_than_the_bounds_when_verified_then_they_are_counted() -> None:
    found = verify(crowd(), Settings(max_items=10, replay=1), np.random.default_rng(0))
    assert found.equal and found.items == 10 and found.left_out > 0
    assert "beyond the bounds" in command.as_text(found)


def test_given_a_difference_when_shown_then_table_and_json_name_it(
    monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    equal = verify(crowd(), SMALL, np.random.default_rng(0))
    gram, inverse, popularity = equal.findings
    different = equal._replace(findings=(gram, inverse._replace(largest=2e-8), popularity))
    assert "DIFFERENT" not in command.as_text(equal) and json.loads(command.as_json(equal, 1))["equal"]
    told(monkeypatch, different)
    assert command.main([]) == 1
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "DIFFERENT" in one]
    assert line.startswith("inverse") and "2e-08" in line
    assert command.main(["--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert not document["equal"] and [one["equal"] for one in document["findings"]] == [True, False, True]


def told(monkeypatch: pytest.MonkeyPatch, found: Verified) -> None:
    """Let the command find this, whatever there is."""
    for name, value in {"DATABASE_URL": "unused", "KAFKA_BOOTSTRAP": "unused", "KEY_DIR": "unused"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "rows_of", lambda _: [])
    monkeypatch.setattr(command, "verify", lambda *_: found)


def test_given_no_settings_or_no_database_when_asked_then_one_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert command.main([]) == 2
    assert "DATABASE_URL" in capsys.readouterr().err
    for name, value in {"KAFKA_BOOTSTRAP": "unused", "KEY_DIR": "unused"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert command.main([]) == 2
    out, sentence = capsys.readouterr()
    assert out == "" and "cannot be read" in sentence and sentence.count("\n") == 1


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with housed(DEFINITION, postgres_url, tmp_path, House) as one:
        yield one


async def filled(house: House) -> None:
    pairs = [(one.member_id, one.content_id, START + timedelta(microseconds=one.first_us)) for one in crowd()]
    async with house.pool.connection() as conn, conn.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO interaction (member_id, content_id, weight, first_at, last_at) VALUES (%s, %s, 10, %s, %s)",
            [(*one, one[2]) for one in pairs],
        )


async def test_given_an_installation_when_verified_then_its_own_rows_are_compared(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    await filled(house)
    for name, value in {"DATABASE_URL": house.url, "KAFKA_BOOTSTRAP": "unused", "KEY_DIR": "unused"}.items():
        monkeypatch.setenv(name, value)
    assert await asyncio.to_thread(command.main, ["--json", "--seed", "7"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["pairs"], document["members"], document["items"]) == (len(crowd()), 60, 40)
    assert [one["compared"] for one in document["findings"]] == [1_600, 1_600, 200]
    monkeypatch.setenv("RECO_MAX_PAIRS", "10")
    assert await asyncio.to_thread(command.main, []) == 2
    assert "RECO_MAX_PAIRS" in capsys.readouterr().err
