"""Intents: a provider that deduplicates by number does each thing once, whatever dies between asking and recording."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from alarms import Clock, DyingStore, Killed, dates, dying_store_of, record, store_of, worker
from delivering import record as delivered
from house import House, built, context
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import FILLED, TOPIC, JsonInsteadOfAvro

from eventfold import Ask, FoldGroup, Item, Pace, Process, PublicRecord
from eventfold.errors import LeaseLost, NotFound, OutcomeUnknown, WrongState
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.publish import lease as leases
from eventfold.timers.intents import (
    INTENT,
    Answer,
    AskAgain,
    IntentFailed,
    IntentRecorded,
    IntentReopened,
    IntentSucceeded,
    IntentUnanswered,
    RecordAnswer,
    RecordIntent,
    carrying_out,
    number_of,
)

NUMBER = number_of("event", "refund")
REFUND = RecordIntent("bank", {"amount_minor": 900})
DONE = Answer("succeeded", "ref-1")
PACE = Pace(timedelta(seconds=1), timedelta(seconds=8))
EXAMPLES = 80

FAULTS = (
    "the request is lost",
    "the answer is lost",
    "not done yet",
    "killed before asking",
    "killed after the effect",
    "killed before the commit",
    "stopped past the lease",
)


@dataclass
class Bank:
    """Does a thing once for a number. `faults` are what befalls its next answers."""

    answer: Answer = DONE
    faults: list[str] = field(default_factory=list)
    done: dict[str, Answer] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    house: House | None = None
    store: DyingStore | None = None

    async def execute(self, number: str, request: Mapping[str, Any]) -> Answer:
        self.asked.append("execute")
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "killed before asking":
            raise Killed
        if fault == "the request is lost":
            raise OutcomeUnknown("bank", fault)
        if number not in self.done:
            self.done[number] = self.answer
            if self.answer.status == "succeeded":
                self.effects.append(number)
        return await self._answered(fault, self.done[number])

    async def query(self, number: str) -> Answer | None:
        self.asked.append("query")
        if number not in self.done:
            return None
        return await self._answered(self.faults.pop(0) if self.faults else "", self.done[number])

    async def _answered(self, fault: str, answer: Answer) -> Answer:
        if fault in ("killed after the effect", "killed before asking"):
            raise Killed
        if fault in ("the answer is lost", "the request is lost", "not done yet"):
            raise OutcomeUnknown("bank", fault)
        if fault == "stopped past the lease":
            assert self.house
            async with await self.house.connect() as other:
                await leases.depose(other, "due")
        if self.store:
            self.store.dying = fault == "killed before the commit"
        return answer


@dataclass
class Office:
    """Looks by hand at intents that the bank carries out, each look in a term of its own."""

    house: House
    bank: Bank
    clock: Clock = field(default_factory=Clock)
    max_attempts: int = 100

    async def look(self) -> None:
        """One look; what it dies of is what a process dies of. Then more time passes than any pause takes."""
        store = dying_store_of(self.house)
        self.bank.house, self.bank.store = self.house, store
        async with await self.house.connect() as conn:
            await leases.depose(conn, "due")
            lease = await leases.acquire(conn, "due", "one", lease_s=60)
            assert lease
            handler = carrying_out({"bank": self.bank}, PACE, self.max_attempts)
            with contextlib.suppress(Killed, LeaseLost):
                await worker(self.house, self.clock, handler, store=store).look(conn, lease)
        self.clock.pass_(8)


async def told(house: House, number: str) -> list[str]:
    rows = await house.rows(f"SELECT type FROM events WHERE stream = 'intent-{number}' ORDER BY version")
    return [str(row[0]).removeprefix("intent.") for row in rows]


@pytest.fixture
async def office(house: House) -> AsyncIterator[Office]:
    await record(store_of(house), NUMBER, REFUND, INTENT)
    yield Office(house, Bank())


# -- the decider ----------------------------------------------------------------------------------


def given_(*events: Any) -> Any:
    return INTENT.decider.fold(events)


RECORDED, UNANSWERED = IntentRecorded("bank", {"amount_minor": 900}), IntentUnanswered("bank")
SUCCEEDED, FAILED = IntentSucceeded("bank", "ref-1"), IntentFailed("bank", "no")
NO = Answer("failed", "no")


@pytest.mark.parametrize(
    ("events", "command", "then"),
    [
        ([], REFUND, [RECORDED]),
        ([RECORDED], REFUND, []),
        ([RECORDED, SUCCEEDED], REFUND, []),
        ([RECORDED], RecordAnswer(DONE), [SUCCEEDED]),
        ([RECORDED], RecordAnswer(NO), [FAILED]),
        ([RECORDED], RecordAnswer(None), [UNANSWERED]),
        ([RECORDED, SUCCEEDED], RecordAnswer(DONE), []),
        ([RECORDED, FAILED], RecordAnswer(NO), []),
        ([RECORDED, SUCCEEDED], RecordAnswer(None), []),
        ([RECORDED, UNANSWERED], RecordAnswer(None), []),
        ([RECORDED, UNANSWERED], RecordAnswer(DONE), [SUCCEEDED]),
        ([RECORDED, UNANSWERED], AskAgain(), [IntentReopened("bank")]),
        ([RECORDED], AskAgain(), []),
        ([RECORDED, SUCCEEDED], AskAgain(), []),
    ],
)
def test_decisions(events: Sequence[Any], command: Any, then: Sequence[Any]) -> None:
    assert list(INTENT.decider.decide(command, given_(*events))) == then


@pytest.mark.parametrize(
    ("events", "command", "error"),
    [
        ([], RecordAnswer(DONE), NotFound),
        ([], AskAgain(), NotFound),
        ([RECORDED], RecordIntent("bank", {"amount_minor": 901}), WrongState),
        ([RECORDED], RecordIntent("other", REFUND.request), WrongState),
        ([RECORDED, SUCCEEDED], RecordAnswer(NO), WrongState),
        ([RECORDED, FAILED], RecordAnswer(DONE), WrongState),
    ],
)
def test_refusals(events: Sequence[Any], command: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        INTENT.decider.decide(command, given_(*events))


def test_a_number_follows_from_its_source_and_step() -> None:
    assert number_of("event", "refund") == NUMBER and len(NUMBER) == 32 and NUMBER.isalnum()
    assert len({number_of(source, step) for source in ("a", "b") for step in ("1", "2")}) == 4


# -- carried out ----------------------------------------------------------------------------------


async def test_an_intent_is_due_at_once_and_carried_out_once(office: Office) -> None:
    for _ in range(3):
        await office.look()
    assert office.bank.effects == [NUMBER] and office.bank.asked == ["execute"]
    assert await told(office.house, NUMBER) == ["recorded", "succeeded"] and await dates(office.house) == []


async def test_a_refusal_is_an_answer(office: Office) -> None:
    office.bank.answer = NO
    await office.look()
    assert office.bank.effects == [] and await told(office.house, NUMBER) == ["recorded", "failed"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_after_any_fault_it_is_asked_after_by_its_number_first(office: Office, fault: str) -> None:
    office.bank.faults = [fault]
    await office.look()
    assert await told(office.house, NUMBER) == ["recorded"], "nothing is known yet"
    await office.look()
    assert office.bank.asked[:2] == ["execute", "query"]
    assert office.bank.effects == [NUMBER] and await told(office.house, NUMBER) == ["recorded", "succeeded"]


async def test_what_stays_without_an_answer_is_given_up_and_can_be_asked_again(office: Office) -> None:
    office.max_attempts = 3
    office.bank.faults = ["the answer is lost"] * 3
    for _ in range(6):
        await office.look()
    assert office.bank.asked == ["execute", "query", "query"] and await dates(office.house) == []
    assert await told(office.house, NUMBER) == ["recorded", "unanswered"]
    await record(store_of(office.house), NUMBER, AskAgain(), INTENT)
    await office.look()
    assert office.bank.asked[3:] == ["query"] and office.bank.effects == [NUMBER]
    assert await told(office.house, NUMBER) == ["recorded", "unanswered", "reopened", "succeeded"]


async def test_an_answer_that_comes_another_way_ends_the_asking(office: Office) -> None:
    office.bank.faults = ["the answer is lost"]
    await office.look()
    await record(store_of(office.house), NUMBER, RecordAnswer(DONE), INTENT)
    await office.look()
    assert office.bank.asked == ["execute"] and await told(office.house, NUMBER) == ["recorded", "succeeded"]


async def test_an_intent_whose_provider_is_not_here_waits(office: Office) -> None:
    async with await office.house.connect() as conn:
        lease = await leases.acquire(conn, "due", "one", lease_s=60)
        assert lease
        assert await worker(office.house, office.clock, carrying_out({}, PACE)).look(conn, lease) == 1
    assert await told(office.house, NUMBER) == ["recorded"]
    assert [row[2] for row in await dates(office.house)] == [1]


async def test_a_reaction_that_is_delivered_again_records_one_intent(house: House) -> None:
    def react(event: PublicRecord) -> list[Item]:
        return [Item((Ask(INTENT, number_of(event.id, "refund"), REFUND),))]

    office = Office(house, Bank())
    runner = FoldRunner(
        worker="t",
        pool=house.pool,
        avro=JsonInsteadOfAvro(),
        store=store_of(house),
        groups=[FoldGroup("refunding", processes=(Process("refunding", (FILLED,), react),))],
        topic_prefix=house.prefix,
        clock=office.clock,
    )
    batch = [delivered(0, 1, "a", "x"), delivered(1, 2, "a", "y")]
    for _ in range(2):
        await runner.apply([PartitionBatch(house.prefix + TOPIC, 0, batch)])
    for _ in range(2):
        await office.look()
    causes = [dict(one.headers)["ce_id"].decode() for one in batch]
    assert sorted(office.bank.effects) == sorted(number_of(cause, "refund") for cause in causes)


# -- any faults in any order ----------------------------------------------------------------------


@pytest.fixture
def shared(postgres_url: str) -> Iterator[tuple[asyncio.Runner, House]]:
    """One installation for all examples, on a loop of its own."""
    with asyncio.Runner() as loop:
        building = built(postgres_url, options="-csynchronous_commit=off")
        house = loop.run(building.__aenter__())
        try:
            yield loop, house
        finally:
            loop.run(building.__aexit__(None, None, None))


def test_whatever_befalls_it_there_is_one_effect_and_one_answer(shared: tuple[asyncio.Runner, House]) -> None:
    loop, house = shared
    examples = iter(range(10**6))

    @settings(max_examples=EXAMPLES)
    @given(
        faults=st.lists(st.sampled_from(FAULTS), max_size=8),
        refused=st.booleans(),
        repeated=st.booleans(),
        max_attempts=st.sampled_from([2, 100]),
    )
    def holds(faults: list[str], refused: bool, repeated: bool, max_attempts: int) -> None:
        office = Office(house, Bank(NO if refused else DONE, list(faults)), max_attempts=max_attempts)
        loop.run(_one_effect(office, number_of(f"{next(examples)}", "refund"), repeated, len(faults)))

    holds()


async def _one_effect(office: Office, number: str, repeated: bool, faults: int) -> None:
    item = Item((Ask(INTENT, number, REFUND),))
    store = store_of(office.house)
    for _ in range(2 * faults + 4):
        await store.handle(item, context())
        await office.look()
        if repeated:  # whoever recorded the intent missed its answer
            await store.handle(item, context())
        if (await told(office.house, number))[-1] == "unanswered":
            await store.handle(Item((Ask(INTENT, number, AskAgain()),)), context())
    succeeded = office.bank.answer is DONE
    assert office.bank.effects == ([number] if succeeded else [])
    answers = [name for name in await told(office.house, number) if name in ("succeeded", "failed")]
    assert answers == ["succeeded" if succeeded else "failed"]
    asked = "".join(one[0] for one in office.bank.asked)
    assert asked.startswith("e") and "ee" not in asked, "after the first time it is asked after before it is asked for"
