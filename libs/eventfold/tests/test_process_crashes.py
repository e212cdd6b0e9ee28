"""Workers of processes, deadlines and intents as processes, killed at each step: each cause has exactly one effect."""

from __future__ import annotations

import asyncio
import functools
import signal
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import due_process
import pytest
import reacting_process
from alarms import SetAlarm, dates, record, rung, store_of
from house import House, context
from processes import SUPPORT, started
from relaying import eventually, relaying
from shelf import TOPIC, add

from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics
from eventfold.timers.intents import INTENT, RecordIntent, number_of

WITHIN_S = 60.0
ALARMS, INTENTS = 3, 3
SHELVES, BOOKS = 5, 8


async def killed_itself(running: subprocess.Popen[bytes]) -> None:
    assert await asyncio.to_thread(running.wait, WITHIN_S) == -signal.SIGKILL, "the fault fell into the work"


# -- deadlines and intents ------------------------------------------------------------------------


NUMBERS = [number_of(f"{n}", "refund") for n in range(INTENTS)]


async def caused(house: House) -> None:
    """Alarms and intents that are due now, and the bank that the intents go to."""
    for statement in due_process.BANK.splitlines():
        async with house.pool.connection() as conn:
            await conn.execute(statement.encode())
    store = store_of(house)
    for n in range(ALARMS):
        await record(store, f"{n}", SetAlarm(datetime.now(UTC)))
    for number in NUMBERS:
        await record(store, number, RecordIntent("bank", {"amount_minor": 1}), INTENT)


async def settled(house: House) -> bool:
    return await dates(house) == []


async def assert_one_effect_each(house: House) -> None:
    assert await rung(house) == {f"{n}": 1 for n in range(ALARMS)}
    assert await house.rows("SELECT number FROM bank_effect ORDER BY 1") == [(number,) for number in sorted(NUMBERS)]
    answered = "SELECT stream FROM events WHERE type = 'intent.succeeded' ORDER BY 1"
    assert await house.rows(answered) == [(f"intent-{number}",) for number in sorted(NUMBERS)]


@pytest.mark.parametrize("point", due_process.POINTS)
async def test_a_due_date_worker_killed_at_any_step_has_one_effect_each(house: House, point: str) -> None:
    await caused(house)
    with started(SUPPORT / "due_process.py", house.url, "victim", point) as victim:
        await killed_itself(victim)
    done = await settled(house)
    assert done == (point == "after-commit"), "it was killed in mid work"
    with started(SUPPORT / "due_process.py", house.url, "successor", "none"):
        await eventually(lambda: settled(house), WITHIN_S)
    await assert_one_effect_each(house)
    if point in ("after-the-answer", "after-append-before-commit"):
        calls = await house.rows("SELECT string_agg(DISTINCT what, ' '), count(*)::int FROM bank_call GROUP BY number")
        assert calls == [("execute query", 2)] * INTENTS, "what was done is asked after, not asked for again"


async def test_a_worker_stopped_in_its_call_and_woken_after_its_successor_records_nothing(house: House) -> None:
    await caused(house)
    with started(SUPPORT / "due_process.py", house.url, "sleeper", "stop-after-the-effect") as sleeper:
        await eventually(lambda: _stopped(sleeper), WITHIN_S)
        assert await house.rows("SELECT holder FROM lease") == [("sleeper",)]
        with started(SUPPORT / "due_process.py", house.url, "successor", "none"):
            await eventually(lambda: settled(house), WITHIN_S)
        sleeper.send_signal(signal.SIGCONT)
        await record(store_of(house), "after", SetAlarm(datetime.now(UTC)))
        await eventually(lambda: _rang(house, "after"), WITHIN_S)  # by the sleeper, in a new term
        assert await house.rows("SELECT holder FROM lease") == [("sleeper",)]
    rang = await rung(house)
    assert rang.pop("after") == 1
    assert rang == {f"{n}": 1 for n in range(ALARMS)}
    assert await house.rows("SELECT number FROM bank_effect ORDER BY 1") == [(number,) for number in sorted(NUMBERS)]


async def _stopped(running: subprocess.Popen[bytes]) -> bool:
    return _state(running.pid) == "T"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


async def _rang(house: House, alarm: str) -> bool:
    return alarm in await rung(house)


# -- reactions ------------------------------------------------------------------------------------


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> AsyncIterator[str]:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=2)
    async with relaying(house, brokers):
        yield house.prefix + TOPIC


async def audits(house: House) -> list[tuple[object, ...]]:
    return await house.rows(
        "SELECT stream, count(*)::int FROM events WHERE type = 'shelf.audited' GROUP BY stream ORDER BY 1"
    )


@pytest.mark.parametrize("point", reacting_process.POINTS)
async def test_a_reacting_worker_killed_at_either_side_of_its_commit_reacts_once_to_each(
    house: House, brokers: Brokers, topic: str, point: str
) -> None:
    with started(SUPPORT / "reacting_process.py", house.url, brokers.bootstrap, house.prefix, point) as victim:
        for n in range(BOOKS):
            await house.store.handle_batch([add(f"{shelf}", f"{n}") for shelf in range(SHELVES)], context())
            await eventually(functools.partial(_audited_or_dead, house, (n + 1) * SHELVES, victim), WITHIN_S)
        await killed_itself(victim)
    assert 0 < await audited(house) < SHELVES * BOOKS, "it was killed in mid work"
    with started(SUPPORT / "reacting_process.py", house.url, brokers.bootstrap, house.prefix, "none"):
        await eventually(lambda: _all_audited(house), WITHIN_S)
    assert await audits(house) == [(f"shelf-audits-of-shelf-{shelf}", BOOKS) for shelf in range(SHELVES)]


async def audited(house: House) -> int:
    return sum(int(str(count)) for _, count in await audits(house))


async def _all_audited(house: House) -> bool:
    return await audited(house) >= SHELVES * BOOKS


async def _audited_or_dead(house: House, count: int, worker: subprocess.Popen[bytes]) -> bool:
    return worker.poll() is not None or await audited(house) >= count
