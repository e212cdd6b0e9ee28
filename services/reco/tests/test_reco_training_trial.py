"""Training for real, in its own environment: from the tables by LightFM and Spark to factors that servers take up.

`make reco-train-trial` makes the environment and runs this.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest

from reco.bootstrap import DEFINITION
from reco.model.parts.base import Profile
from reco.model.parts.given import Given
from reco.model.rows import Item
from reco.training.factors import Trained
from reco.training.java import java_home
from reco.training.publication import newest
from reco.training.refusals import TrainingRefused
from reco.training.serving import Serving
from servicekit.testing import House, housed

PYTHON = Path(__file__).parents[3] / ".cache" / "reco-train" / "bin" / "python"
WITHIN_S = 400
START = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS = ("music", "law")
MEMBERS, CONTENTS, TAKEN = 60, 24, 6
SMALL = ["--dimensions", "8", "--rounds", "10"]
LIGHTFM = ["--engine", "lightfm", "--threads", "1", *SMALL]
SPARK = ["--engine", "spark", "--spark-master", "local[2]", "--spark-memory", "1g", *SMALL]

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="there is no environment for training: make reco-train-trial makes one"
)


def needs_java() -> None:
    """Skip where Spark cannot run."""
    try:
        java_home()
    except TrainingRefused as refusal:
        pytest.skip(str(refusal))


def topic(number: int) -> str:
    """Of a member and of a content: there are two worlds, and nobody leaves one's own."""
    return TOPICS[number % 2]


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with housed(DEFINITION, postgres_url, tmp_path, House) as one:
        await filled(one)
        yield one


async def filled(house: House) -> None:
    rng = np.random.default_rng(5)
    async with house.pool.connection() as conn, conn.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO content_item (content_id, creator_id, kind, title, tags, published_at, access)"
            " VALUES (%s, 'cr', 'text', 't', %s, %s, 'free')",
            [(f"c{number:02}", json.dumps([topic(number), "all"]), START) for number in range(CONTENTS)],
        )
        pairs = [
            (f"m{member:02}", f"c{2 * place + member % 2:02}", START + timedelta(minutes=int(place)))
            for member in range(MEMBERS)
            for place in rng.choice(CONTENTS // 2, TAKEN, replace=False)
        ]
        await cursor.executemany(
            "INSERT INTO interaction (member_id, content_id, weight, first_at, last_at) VALUES (%s, %s, 20, %s, %s)",
            [(member, content, at, at) for member, content, at in pairs],
        )


async def ran(url: str, *arguments: str, run: tuple[str, ...] = ("-m", "reco")) -> tuple[int, str, str]:
    """Status, output and errors of `python -m reco …`, or of another program, in the environment for training."""
    process = await asyncio.create_subprocess_exec(
        PYTHON,
        *(*run, *arguments),
        env={**os.environ, "DATABASE_URL": url, "OPENBLAS_NUM_THREADS": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), WITHIN_S)
    return process.returncode or 0, out.decode(), errors.decode()


async def succeeded(url: str, *arguments: str) -> dict[str, int | str]:
    """What it says as JSON."""
    status, out, errors = await ran(url, *arguments, "--json")
    assert status == 0, errors
    found: dict[str, int | str] = json.loads(out)
    return found


async def published(house: House) -> tuple[str, Trained]:
    async with await psycopg.AsyncConnection.connect(house.url, autocommit=True) as conn:
        found = await newest(conn)
    assert found is not None
    return found


def scores(trained: Trained, profile: Profile, items: list[Item]) -> list[float]:
    part = Given()
    part.give(Serving(trained))
    for number, item in enumerate(items):
        part.take(number, item)
    return list(map(float, part.scores(profile, len(items))["given"]))


def member(*had: int) -> Profile:
    numbers = np.array(had, dtype=np.int64)
    return Profile(0, 0, numbers, numbers, np.zeros(0, np.int64), numbers, len(had))


def all_contents() -> list[Item]:
    return [Item(f"c{number:02}") for number in range(CONTENTS)]


def assert_own_world_comes_first(trained: Trained) -> None:
    for world in (0, 1):
        found = scores(trained, member(world, world + 2), all_contents())
        best = np.argsort(found)[::-1][: CONTENTS // 4]
        assert {topic(int(number)) for number in best} == {TOPICS[world]}


async def test_given_tables_when_lightfm_trains_then_servers_rank_known_and_new_contents_for_known_and_new_members(
    house: House,
) -> None:
    told = await succeeded(house.url, "train", *LIGHTFM)
    version, trained = await published(house)
    assert (told["version"], told["items"], told["dimensions"]) == (version, CONTENTS, 9)
    assert_own_world_comes_first(trained)
    new = [Item("new 0", tags=("music", "all")), Item("new 1", tags=("law", "all"))]
    for world in (0, 1):
        known, stranger = member(world, world + 2), replace(member(), interests=(TOPICS[world],))
        for_known = scores(trained, known, [*all_contents(), *new])[CONTENTS:]
        for_stranger = scores(trained, stranger, [*all_contents(), *new])
        assert for_known[world] > for_known[1 - world]
        assert for_stranger[CONTENTS + world] > for_stranger[CONTENTS + 1 - world]
        assert np.mean(for_stranger[world:CONTENTS:2]) > np.mean(for_stranger[1 - world : CONTENTS : 2])


async def test_given_an_export_when_trained_on_twice_then_both_trainings_come_to_the_same_version(
    house: House, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    told = await succeeded(house.url, "export", "--to", str(folder))
    assert (told["pairs"], told["members"], told["items"]) == (MEMBERS * TAKEN, MEMBERS, CONTENTS)
    assert {one.name for one in folder.iterdir()} == {"items.parquet", "members.parquet", "pairs.parquet"}
    assert b"m00" not in b"".join(one.read_bytes() for one in folder.iterdir()), "members have no names in it"
    kept = await succeeded("", "train", *LIGHTFM, "--from", str(folder), "--to", str(tmp_path / "factors"))
    again = await succeeded(house.url, "train", *LIGHTFM, "--from", str(folder))
    assert kept["version"] == again["version"] == (await published(house))[0]
    assert (tmp_path / "factors").stat().st_size == kept["bytes"]


async def test_given_an_export_when_spark_trains_then_servers_rank_by_its_factors(house: House) -> None:
    needs_java()
    told = await succeeded(house.url, "train", *SPARK)
    version, trained = await published(house)
    assert (told["version"], told["engine"], told["items"], told["features"]) == (version, "spark", CONTENTS, 0)
    assert_own_world_comes_first(trained)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda one, _: shutil.rmtree(one), "cannot be read"),
        (lambda one, _: os.truncate(one / "pairs.parquet", 500), "cannot be read"),
        (lambda one, _: shutil.copy(one / "items.parquet", one / "pairs.parquet"), "other columns"),
        (lambda one, other: shutil.copy(other / "pairs.parquet", one / "pairs.parquet"), "of several exports"),
    ],
)
async def test_given_a_wrong_folder_when_trained_on_then_one_sentence_refuses_it(
    house: House, tmp_path: Path, damage: object, sentence: str
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    await succeeded(house.url, "export", "--to", str(one))
    async with house.pool.connection() as conn:
        await conn.execute("UPDATE content_item SET title = 'a new transaction, so that the next look differs'")
    await succeeded(house.url, "export", "--to", str(other))
    assert callable(damage)
    damage(one, other)
    status, out, errors = await ran("", "train", *LIGHTFM, "--from", str(one), "--to", str(tmp_path / "f"))
    assert (status, out, errors.count("\n")) == (1, "", 1)
    assert sentence in errors and str(one) in errors


FORGED = """
import sys
from pathlib import Path
from reco.model.rows import Item
from reco.training.facts import Origin
from reco.training.parquet import ExportWriter
from reco.training.tables import MemberFact, PairFact
with ExportWriter(Path(sys.argv[1])) as writer:
    writer.begin(Origin("1:1:", ()))
    writer.take_items([Item("a"), Item("b")])
    writer.take_pairs([PairFact(*one, 0, 0) for one in eval(sys.argv[2])], [MemberFact(0, ("x",))])
"""


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ("[(0, 0, 1.0), (0, 2, 1.0)]", "no member, item or strength"),
        ("[(-1, 0, 1.0)]", "no member, item or strength"),
        ("[(0, 0, float('nan'))]", "no member, item or strength"),
        ("[(1, 0, 1.0), (0, 0, 1.0)]", "not in order of member"),
        ("[(0, 0, -1.0), (0, 1, 0.0)]", "no pair that speaks for its content"),
        ("[]", "holds no pairs to train on"),
    ],
)
async def test_given_pairs_that_no_export_has_when_trained_on_then_one_sentence_refuses_them(
    tmp_path: Path, pairs: str, sentence: str
) -> None:
    status, _, errors = await ran("", str(tmp_path / "export"), pairs, run=("-c", FORGED))
    assert status == 0, errors
    status, _, errors = await ran(
        "", "train", *LIGHTFM, "--from", str(tmp_path / "export"), "--to", str(tmp_path / "f")
    )
    assert (status, errors.count("\n")) == (1, 1)
    assert sentence in errors


HURRIED = """
import sys
from pathlib import Path
from reco.training import als, warp
from reco.training.parquet import Export
export = Export(Path(sys.argv[1]))
if sys.argv[2] == "lightfm":
    warp.trained(export.facts(), warp.Choices(8, 1_000, 1, 1, 0.0))
else:
    als.trained(export, als.Choices(8, 30, 1, 0.0, "local[2]", "1g"))
"""


@pytest.mark.parametrize("engine", ["lightfm", "spark"])
async def test_given_no_time_when_trained_then_it_ends_and_says_so(house: House, tmp_path: Path, engine: str) -> None:
    if engine == "spark":
        needs_java()
    await succeeded(house.url, "export", "--to", str(tmp_path / "export"))
    status, _, errors = await ran("", str(tmp_path / "export"), engine, run=("-c", HURRIED))
    assert status == 1
    assert errors.splitlines()[-1].endswith("TrainingRefused: training took longer than 0 s")


async def test_given_a_folder_that_is_not_empty_when_exported_to_then_it_is_refused_and_stays_as_it_is(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    status, _, errors = await ran(house.url, "export", "--to", str(tmp_path / "full"))
    assert (status, errors) == (1, f"{tmp_path / 'full'} exists and is not an empty folder\n")
    assert [one.name for one in (tmp_path / "full").iterdir()] == ["mine"]


async def test_given_no_tables_when_exported_then_nothing_is_left_behind(postgres_url: str, tmp_path: Path) -> None:
    status, _, errors = await ran(postgres_url, "export", "--to", str(tmp_path / "deep" / "export"))
    assert status == 1 and errors.startswith("the tables cannot be read")
    assert list((tmp_path / "deep").iterdir()) == []
