"""Advice for failures whose own message does not name the next step."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from psycopg import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout, UndefinedColumn, UndefinedTable

from contracts.avro import UnknownFingerprint
from eventfold.errors import Poison
from eventfold.vocabulary.codec import UnknownEventType

ADVICE: Sequence[tuple[type[Exception], str, str]] = (
    (UnknownFingerprint, "a record is of a newer schema than this build", "then run this with it"),
    (UnknownEventType, "the store holds events of a newer build", "run the build that wrote them"),
    (Poison, "the fold cannot apply a record", "correct the fold, deploy it, run this again"),
    (UndefinedTable, "a table is missing", "run the service's `prepare`, or correct the schema in DATABASE_URL"),
    (UndefinedColumn, "a table is not of this build", "run the service's `prepare` of this build, then this again"),
    (IdleInTransactionSessionTimeout, "the worker was kept waiting for too long", "nothing was changed: run it again"),
    (OperationalError, "the database is away or refuses", "start it, or correct DATABASE_URL, then run this again"),
    (OffsetOutOfRangeError, "the topic does not hold what was read of it", "see docs/runbooks/topic-loss.md"),
    (KafkaError, "Kafka is away or refuses", "start it, or correct KAFKA_BOOTSTRAP, then run this again"),
)
"""For the first class that fits: what happened, and what to do."""

ADVISED = tuple(failure for failure, _, _ in ADVICE)


def sentence(failure: BaseException) -> str:
    """What happened, the failure's own message, and the next step, on one line."""
    said = " ".join(str(failure).split()) or type(failure).__name__
    for kind, happened, advice in ADVICE:
        if isinstance(failure, kind):
            return f"{happened}: {said}; {advice}"
    return said
