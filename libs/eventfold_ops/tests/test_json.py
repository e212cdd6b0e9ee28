"""Every command of the parser answers `--json` with one JSON document on standard output, and nothing beside it."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from house import House, context
from relaying import eventually, everything_acknowledged, relaying
from shelf import COUNTING, TOPIC, add
from working import worker

from eventfold import Ask, EventCodec, EventStore, Item
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import Publisher
from eventfold.timers.intents import EVENTS, INTENT, RecordIntent
from eventfold_ops.cli import main, parser
from eventfold_ops.deployment import Deployment

WHILE_A_RELAY_RUNS = {
    "doctor": (),
    "events": ("--stream", "shelf-s1", "--days", "3650"),
    "sizes": (),
    "dlq list": (),
    "dlq show": ("counting", "POISON"),
    "dlq discard": ("counting", "POISON", "--yes"),
    "dlq redrive": ("counting", "s1"),
    "rebuild": ("counting",),
    "compare": ("counting",),
    "replay": (TOPIC,),
    "switch": (TOPIC,),
    "recover": ("--restored",),
}
AFTERWARDS = {"intents list": (), "intents ask-again": ("one",)}
"""A relay of the example domain would halt at intents, which it does not know."""


def commands(one: argparse.ArgumentParser, name: str = "") -> Iterator[str]:
    """Every command that can be given, with its action where it has some."""
    below = [action for action in one._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for word, child in action.choices.items():
            yield from commands(child, f"{name} {word}".strip())
    if not below:
        yield name


@dataclass
class Program:
    """Runs commands as a program does."""

    capture: pytest.CaptureFixture[str]
    app: str = "deployment"

    async def __call__(self, command: str, arguments: tuple[str, ...]) -> Any:
        words = ["--app", f"library_app:{self.app}", "--json", *command.split(), *arguments]
        status = await asyncio.to_thread(main, words)
        out, err = self.capture.readouterr()
        assert status == 0 or command == "doctor", err
        return json.loads(out)


@pytest.fixture
def program(
    house: House, library: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Program:
    monkeypatch.setenv("DATABASE_URL", house.url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", library.brokers.bootstrap)
    monkeypatch.setenv("TOPIC_PREFIX", house.prefix)
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "support"))
    return Program(capsys)


async def folded_with_two_parked(house: House, brokers: Brokers) -> None:
    """Shelf s1 has a poisonous record with one behind it."""
    books = (("s0", "a"), ("s1", "poison"), ("s1", "b"), ("s2", "c"))
    await house.store.handle_batch([add(*book) for book in books], context())
    await eventually(lambda: everything_acknowledged(house))
    with worker(house, brokers):

        async def done() -> bool:
            counted = await house.rows("SELECT 1 FROM shelf_count")
            return len(counted) == 2 and len(await house.rows("SELECT 1 FROM dead_letter")) == 2

        await eventually(done, 60)


async def test_every_command_gives_a_document(house: House, library: Deployment, program: Program) -> None:
    assert {*commands(parser())} == {*WHILE_A_RELAY_RUNS, *AFTERWARDS}, "a new command is tried here too"
    said: dict[str, Any] = {}
    async with relaying(house, library.brokers):
        await folded_with_two_parked(house, library.brokers)
        poison = str((await house.rows("SELECT event_id FROM dead_letter ORDER BY seq LIMIT 1"))[0][0])
        for command, arguments in WHILE_A_RELAY_RUNS.items():
            given = tuple(one.replace("POISON", poison) for one in arguments)
            said[command] = await program(command, given)
    await intent(house)
    for command, arguments in AFTERWARDS.items():
        said[command] = await Program(program.capture, "with_intents")(command, arguments)
    check(said, house.prefix + TOPIC)


def check(said: dict[str, Any], topic: str) -> None:
    assert [one["version"] for one in said["events"]] == [1, 2]
    assert [one["partitions"] for one in said["sizes"]["topics"]] == [2] and said["sizes"]["service"] == "library"
    rebuilt = {"projection": "counting", "swapped": ["shelf_count"], "built_under": {}}
    assert said["rebuild"] == rebuilt
    assert said["replay"] == {"topic": topic, "generation": f"{topic}.g2", "partitions": 2}
    moved = {"handler": COUNTING.name, "reads": f"{topic}.g2", "moved": True}
    assert said["recover"]["topics"] == {topic: f"{topic}.g3"} and said["recover"]["first_seq"] > 1_000_000
    assert said["switch"] == {"topic": topic, "handlers": [moved]}
    assert [one["equal"] for one in said["compare"]] == [True] and len(said["dlq list"]) == 2
    assert said["intents ask-again"] == {"number": "one", "opened": False}


async def intent(house: House) -> None:
    publisher = Publisher("library", lambda _: None, house.publisher._avro)
    store = EventStore(house.pool, EventCodec(dict(EVENTS)), publisher, random.Random(7))
    await store.handle(Item((Ask(INTENT, "one", RecordIntent("bank", {"amount_minor": 900})),)), context())


async def test_without_it_a_rebuild_ends_with_a_sentence(
    house: House, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(main, ["--app", "library_app:deployment", "rebuild", "counting"]) == 0
    assert capsys.readouterr().out == "counting is folded anew, and served: shelf_count\n"
