"""Whatever runbooks name that a command may end with is told in one line: what happened, and what to do."""

from __future__ import annotations

import asyncio
import select
from pathlib import Path

import psycopg
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, OffsetOutOfRangeError
from house import House
from psycopg.errors import IdleInTransactionSessionTimeout, UndefinedColumn, UndefinedTable

from contracts.avro import AvroCodec, UnknownFingerprint
from eventfold.errors import LeaseLost, Poison
from eventfold.vocabulary.codec import UnknownEventType
from eventfold_ops import dlq
from eventfold_ops.cli import main
from eventfold_ops.failures import ADVICE, sentence

ENDED_WITHIN_S = 30.0

FAILURES: list[tuple[Exception, str]] = [
    (UnknownFingerprint("fingerprint 0a"), "no schema with fingerprint 0a"),
    (UnknownEventType("book.added", 2), "book.added version 2"),
    (Poison("e1", "no such shelf"), "event e1: no such shelf; correct the fold"),
    (UndefinedTable('relation "lease" does not exist\nLINE 1: SELECT'), "`prepare`"),
    (UndefinedColumn('column "closed" does not exist'), "`prepare`"),
    (IdleInTransactionSessionTimeout("terminating connection"), "nothing was changed"),
    (psycopg.OperationalError("connection refused"), "DATABASE_URL"),
    (OffsetOutOfRangeError({}), "topic-loss.md"),
    (KafkaConnectionError("no broker"), "KAFKA_BOOTSTRAP"),
]


@pytest.mark.parametrize(("failure", "says"), FAILURES)
def test_it_says_what_happened_and_what_to_do_on_one_line(
    failure: Exception, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def ends(*_: object) -> int:
        raise failure

    monkeypatch.setattr(dlq, "parked", ends)
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("TOPIC_PREFIX", "")
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "support"))
    monkeypatch.setattr("eventfold_ops.deployment.Deployment.connect", ends)
    assert main(["--app", "library_app:deployment", "dlq", "list"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("eventfold: ") and err.count("\n") == 1 and says in err


def test_every_line_of_the_table_is_reached_by_its_own_failure() -> None:
    said = [sentence(failure) for failure, _ in FAILURES]
    assert [one.split(":")[0] for one in said] == [happened for _, happened, _ in ADVICE]


def test_what_says_itself_what_to_do_is_left_as_it_is() -> None:
    assert sentence(LeaseLost("relay", 3)) == "lease relay is no longer held at epoch 3"
    assert sentence(KafkaError()).startswith("Kafka is away or refuses: KafkaError; ")


def test_a_record_of_a_newer_schema_ends_as_the_table_says() -> None:
    with pytest.raises(UnknownFingerprint) as ended:
        AvroCodec().decode(b"\xc3\x01" + bytes(8))
    assert sentence(ended.value).startswith("a record is of a newer schema than this build: no schema with ")


async def test_turns_that_were_held_for_too_long_end_as_the_table_says(house: House) -> None:
    async with await house.connect() as conn:
        with pytest.raises(IdleInTransactionSessionTimeout) as ended:
            async with conn.transaction():
                await conn.execute("SET LOCAL idle_in_transaction_session_timeout = 50")
                await asyncio.to_thread(select.select, [conn], [], [], ENDED_WITHIN_S)
                await conn.execute("SELECT 1")
    assert sentence(ended.value).startswith("the worker was kept waiting for too long: ")
