"""The command line: what it prints, what it changes, and the status that it leaves with."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from delivering import Delivered, record
from house import House
from shelf import COUNTING, SHELVES, TOPIC, JsonInsteadOfAvro

from eventfold import Changes, FoldGroup, PublicRecord, Rows
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.vocabulary.decider import event_id
from eventfold_ops import dlq
from eventfold_ops.cli import main

APP = ["--app", "library_app:deployment"]
POISON = str(event_id("a", 2))


async def apply(house: House, *records: Delivered) -> None:
    runner = FoldRunner(
        worker="t", pool=house.pool, avro=JsonInsteadOfAvro(), groups=[SHELVES], topic_prefix=house.prefix
    )
    await runner.apply([PartitionBatch(house.prefix + TOPIC, 0, records)])


@dataclass
class Shell:
    """Runs commands on the deployment of the test's own house."""

    house: House
    capture: pytest.CaptureFixture[str]

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(main, [*APP, *arguments])
        return status, *self.capture.readouterr()

    async def json(self, *arguments: str) -> Any:
        status, out, _ = await self("--json", *arguments)
        assert status == 0
        return json.loads(out)


@pytest.fixture
def environment(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the deployment is told; its broker is away, since only the doctor needs it."""
    monkeypatch.setenv("DATABASE_URL", house.url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("TOPIC_PREFIX", house.prefix)
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "support"))


@pytest.fixture
async def shell(house: House, environment: None, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Shelf a has a poisonous record with two behind it; shelf b is fine, and the fold is past all of them."""
    await apply(house, record(0, 1, "a", "x"), record(1, 2, "a", "poison"), record(2, 3, "b", "y"))
    await apply(house, record(3, 4, "a", "z"), record(4, 5, "a", "w"))
    return Shell(house, capsys)


async def counts(house: House) -> list[tuple[object, ...]]:
    return await house.rows("SELECT shelf, digest FROM shelf_count ORDER BY shelf")


async def test_list_shows_what_is_parked_in_the_order_to_redrive(shell: Shell) -> None:
    status, out, _ = await shell("dlq", "list")
    head, *lines = out.splitlines()
    assert status == 0 and head.split()[:3] == ["PROJECTION", "RECORD_KEY", "EVENT_ID"]
    assert [line.split()[2] for line in lines] == [str(event_id("a", seq)) for seq in (2, 4, 5)]
    assert "poisonous title" in lines[0] and f"{shell.house.prefix}{TOPIC}[0]@1" in lines[0]
    listed = await shell.json("dlq", "list", "counting")
    assert [one["event_id"] for one in listed] == [line.split()[2] for line in lines]


async def test_list_says_so_when_nothing_is_parked(shell: Shell) -> None:
    await shell.house.rows("DELETE FROM dead_letter RETURNING 1")
    assert (await shell("dlq", "list"))[1] == "none parked\n"
    assert await shell.json("dlq", "list") == []


async def test_what_is_more_than_a_list_shows_is_told_beside_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, told in ((2, "only the first 2 are listed\n"), (3, "")):
        monkeypatch.setattr(dlq, "MAX_LISTED", limit)
        status, out, err = await shell("--json", "dlq", "list")
        assert (status, len(json.loads(out)), err) == (0, limit, told)
        status, out, err = await shell("dlq", "list", "counting")
        assert (status, len(out.splitlines()), err) == (0, 1 + limit, told)


async def test_an_unknown_projection_is_refused_and_the_known_ones_are_named(shell: Shell) -> None:
    for command in (["list", "nosuch"], ["redrive", "nosuch", "a"]):
        status, out, err = await shell("dlq", *command)
        assert (status, out) == (1, "") and "has no projection nosuch; it has counting" in err


async def test_show_gives_headers_reason_bytes_and_data(shell: Shell) -> None:
    shown = await shell.json("dlq", "show", "counting", POISON)
    assert bytes.fromhex(shown["value_hex"]) == b'{"shelf": "a", "title": "poison"}'
    assert shown["data"] == {"shelf": "a", "title": "poison"} and shown["undecodable"] is None
    assert shown["headers"]["ce_id"] == POISON and shown["reason"] == "poisonous title"
    assert shown["waiting_behind"] == 2
    status, out, _ = await shell("dlq", "show", "counting", POISON)
    assert status == 0 and "  ce_sequence: 2" in out.splitlines() and "  title: poison" in out.splitlines()


async def test_show_gives_the_bytes_even_where_they_cannot_be_decoded(shell: Shell) -> None:
    await shell.house.rows(r"UPDATE dead_letter SET value = '\xff00' WHERE seq = 2 RETURNING 1")
    shown = await shell.json("dlq", "show", "counting", POISON)
    assert shown["value_hex"] == "ff00" and shown["data"] is None and "JSONDecodeError" in shown["undecodable"]


async def test_redrive_is_refused_while_the_fold_cannot_and_changes_nothing(shell: Shell) -> None:
    before = await counts(shell.house)
    status, _, err = await shell("dlq", "redrive", "counting", "a")
    assert status == 1 and "nothing was redriven" in err and "poisonous title" in err and err.count("\n") == 1
    assert await counts(shell.house) == before == [("a", "x;"), ("b", "y;")]
    assert len(await shell.house.rows("SELECT 1 FROM dead_letter")) == 3


async def test_a_redrive_that_fails_in_another_way_is_refused_in_a_sentence_without_what_it_says(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a failure of the fold's code says may hold personal data."""

    def failing(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        raise KeyError("somebody's name")

    app = importlib.import_module("library_app")
    group = FoldGroup("shelves", (replace(COUNTING, fold=failing),), parks=True)
    monkeypatch.setattr(app, "SHELVES", group)
    before = await counts(shell.house)
    status, _, err = await shell("dlq", "redrive", "counting", "a")
    assert status == 1 and "nothing was redriven: KeyError in its fold" in err and err.count("\n") == 1
    assert "somebody" not in err and await counts(shell.house) == before
    assert len(await shell.house.rows("SELECT 1 FROM dead_letter")) == 3


async def test_discard_asks_first_then_gives_up_one_and_redrive_applies_the_rest(shell: Shell) -> None:
    status, _, err = await shell("dlq", "discard", "counting", POISON)
    assert status == 1 and "2 records of a wait behind it" in err and "--yes" in err
    assert len(await shell.house.rows("SELECT 1 FROM dead_letter")) == 3
    status, out, _ = await shell("dlq", "discard", "counting", POISON, "--yes")
    assert status == 0 and "next: dlq redrive counting a" in out
    position = await shell.house.rows("SELECT next_offset FROM fold_position")
    assert await shell.json("dlq", "redrive", "counting", "a") == {"redriven": 2}
    assert await counts(shell.house) == [("a", "x;z;w;"), ("b", "y;")]
    assert await shell.house.rows("SELECT next_offset FROM fold_position") == position


async def test_what_is_not_parked_is_refused_however_often(shell: Shell) -> None:
    await shell("dlq", "discard", "counting", POISON, "--yes")
    for command in (
        ["discard", "counting", POISON, "--yes"],
        ["show", "counting", POISON],
        ["redrive", "counting", "q"],
    ):
        status, _, err = await shell("dlq", *command)
        assert status == 1 and "parked" in err and "see `dlq list`" in err


async def test_the_doctor_prints_a_line_per_check_and_leaves_with_1_when_something_is_broken(shell: Shell) -> None:
    status, out, _ = await shell("doctor")
    lines = out.splitlines()
    assert status == 1
    assert any(line.startswith("broken   Kafka: ") and "KAFKA_BOOTSTRAP" in line for line in lines)
    assert any(line.startswith("warning  dead letters of counting: 3 records of 1 keys") for line in lines)
    assert lines[-1].endswith("2 broken")  # Kafka, and no relay ever led
    status, out, _ = await shell("--json", "doctor")
    found = json.loads(out)
    assert status == 1 and found["service"] == "library" and found["counts"]["broken"] == 2
    assert len(found["findings"]) == len(lines) - 1 and found["quick"] is False
    status, out, _ = await shell("doctor", "--quick")
    assert len(out.splitlines()) == len(lines) - 2 and out.endswith("; sequence and stored types were left out\n")


@pytest.mark.parametrize(
    "arguments", [["dlq", "list"], ["--app", "x:y"], ["--app", "x:y", "dlq"], ["--app", "x:y", "nosuch"]]
)
def test_wrong_usage_leaves_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVENTFOLD_APP", raising=False)
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2 and "usage: eventfold" in capsys.readouterr().err


@pytest.mark.parametrize("app", ["nosuch.module:deployment", "library_app:nosuch", "library_app", ":"])
def test_an_app_that_is_none_is_refused_in_a_sentence(
    app: str, environment: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--app", app, "dlq", "list"]) == 1
    assert f"--app {app}: " in capsys.readouterr().err


def test_a_missing_environment_is_refused_in_a_sentence(
    environment: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    assert main([*APP, "dlq", "list"]) == 1
    assert "DATABASE_URL is not set; give the environment" in capsys.readouterr().err


async def test_an_absent_database_is_refused_in_a_sentence(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    status, _, err = await shell("dlq", "list")
    assert status == 1 and err.startswith("eventfold: the database is away") and err.count("\n") == 1
    assert err.endswith("start it, or correct DATABASE_URL, then run this again\n")


async def test_a_service_that_was_never_prepared_is_refused_in_a_sentence(shell: Shell) -> None:
    async with shell.house.pool.connection() as conn:
        await conn.execute("DROP TABLE dead_letter")
    status, out, err = await shell("dlq", "list")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith('eventfold: a table is missing: relation "dead_letter" does not exist')
    assert err.endswith("run the service's `prepare`, or correct the schema in DATABASE_URL\n")


@pytest.mark.parametrize(
    "program", [[sys.executable, "-m", "eventfold_ops"], [str(Path(sys.executable).parent / "eventfold")]]
)
async def test_it_runs_as_a_module_and_as_a_script_with_the_app_from_the_environment(
    shell: Shell, program: list[str]
) -> None:
    environment = {**os.environ, "EVENTFOLD_APP": APP[1], "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = await asyncio.to_thread(
        subprocess.run, [*program, "--json", "dlq", "list"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0 and len(json.loads(ran.stdout)) == 3
