"""Public records as a fold receives them, without Kafka and Avro."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, overload

from eventfold import Data, PublicRecord, PublicType
from eventfold.fold.readmodel import KeptRecord
from eventfold.measured.times import rfc3339
from eventfold.vocabulary.public import topic_of

OCCURRED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@overload
def record(
    kind: PublicType[Data],
    data: Data,
    seq: int = ...,
    *,
    partition: int = ...,
    key: str = ...,
    occurred_at: datetime = ...,
    backfill: bool = ...,
    recorded_at: datetime | None = ...,
) -> PublicRecord[Data]: ...


@overload
def record(
    kind: str,
    data: Any,
    seq: int = ...,
    *,
    partition: int = ...,
    key: str = ...,
    occurred_at: datetime = ...,
    backfill: bool = ...,
    recorded_at: datetime | None = ...,
) -> PublicRecord[Any]: ...


def record(
    kind: PublicType[Any] | str,
    data: Any,
    seq: int = 1,
    *,
    partition: int = 0,
    key: str = "key",
    occurred_at: datetime = OCCURRED_AT,
    backfill: bool = False,
    recorded_at: datetime | None = None,
) -> PublicRecord[Any]:
    """An event of a type (or, by name, of an unknown type) as the record with offset and number `seq`. Its id and
    correlation id follow from the number, its stream from the key. Without `recorded_at` it was recorded when it
    occurred."""
    name, topic = (kind, topic_of(kind)) if isinstance(kind, str) else (kind.name, kind.topic)
    headers = {
        "ce_id": f"e{seq}",
        "ce_subject": f"stream-{key}",
        "ce_type": name,
        "ce_sequence": str(seq),
        "ce_time": rfc3339(occurred_at),
        "ce_recordedtime": rfc3339(recorded_at or occurred_at),
        "ce_correlationid": f"c{seq}",
        **({"ce_backfill": "true"} if backfill else {}),
    }
    kept = KeptRecord(seq, key.encode(), b"", [(name, value.encode()) for name, value in headers.items()])
    return PublicRecord(topic, partition, kept, data)
