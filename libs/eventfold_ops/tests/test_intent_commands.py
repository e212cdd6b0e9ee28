"""`eventfold intents`: what is not settled is seen, and asked for again."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest
from house import House, context

from eventfold import Ask, EventCodec, EventStore, Item
from eventfold.publish.publisher import Publisher
from eventfold.timers.intents import EVENTS, INTENT, Answer, IntentCommand, RecordAnswer, RecordIntent
from eventfold_ops import intent_commands
from eventfold_ops.cli import main

REFUND = RecordIntent("bank", {"amount_minor": 900})
GIVEN_UP = RecordAnswer(None)


@pytest.fixture
async def store(house: House, monkeypatch: pytest.MonkeyPatch) -> EventStore:
    """One intent is open, one was given up, one has succeeded."""
    monkeypatch.setenv("DATABASE_URL", house.url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("TOPIC_PREFIX", house.prefix)
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "support"))
    publisher = Publisher("/library", lambda _: None, house.publisher._avro)
    made = EventStore(house.pool, EventCodec(dict(EVENTS)), publisher, random.Random(7))
    for number in ("given-up", "open", "succeeded"):
        await record(made, number, REFUND)
    await record(made, "given-up", GIVEN_UP)
    await record(made, "succeeded", RecordAnswer(Answer("succeeded", "ref-1")))
    return made


async def record(store: EventStore, number: str, command: IntentCommand) -> None:
    await store.handle(Item((Ask(INTENT, number, command),)), context())


async def shell(*arguments: str, app: str = "with_intents") -> int:
    return await asyncio.to_thread(main, ["--app", f"library_app:{app}", *arguments])


async def due(house: House) -> list[str]:
    return [str(row[0]) for row in await house.rows("SELECT stream_id FROM due_date ORDER BY stream_id")]


async def test_what_is_not_settled_is_listed(store: EventStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert await shell("intents", "list") == 0
    head, *lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head == ["NUMBER", "PROVIDER", "STATUS", "ASKED", "NEXT", "SINCE"]
    assert sorted(line[:4] for line in lines) == [
        ["given-up", "bank", "unanswered", "0"],
        ["open", "bank", "open", "0"],
    ]


async def test_what_is_more_than_a_list_shows_is_told_beside_it(
    store: EventStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, told in ((1, "only the first 1 are listed\n"), (2, "")):
        monkeypatch.setattr(intent_commands, "MAX_LISTED", limit)
        assert await shell("--json", "intents", "list") == 0
        out, err = capsys.readouterr()
        assert (len(json.loads(out)), err) == (limit, told)


async def test_where_all_is_settled_it_says_so(
    house: House, store: EventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in ("given-up", "open"):
        await record(store, number, RecordAnswer(Answer("failed", "no such account")))
    assert await shell("intents", "list") == 0
    assert capsys.readouterr().out == "all intents are settled\n"


async def test_what_was_given_up_is_due_again_and_once(
    house: House, store: EventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await due(house) == ["open"]
    assert await shell("intents", "ask-again", "given-up") == 0
    assert capsys.readouterr().out == "opened: the provider is asked at once\n"
    assert await due(house) == ["given-up", "open"]
    for number in ("given-up", "open", "succeeded"):
        assert await shell("intents", "ask-again", number) == 0
        assert capsys.readouterr().out.startswith("nothing to do")
    told = await house.rows("SELECT meta->>'actor' FROM events WHERE type = 'intent.reopened'")
    assert told == [("operator",)]


async def test_what_was_never_asked_is_not_asked_again(
    house: House, store: EventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await shell("intents", "ask-again", "unheard-of") == 1
    assert "unheard-of: there is no intent of this number" in capsys.readouterr().err
    assert await shell("intents", "ask-again", "given-up", app="deployment") == 1
    assert "library records no intents" in capsys.readouterr().err
    assert await due(house) == ["open"]
