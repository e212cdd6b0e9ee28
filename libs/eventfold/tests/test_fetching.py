"""Fetched batches: what is handed out of them, however it is cut, and their heads as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from eventfold.fold.columns import Unreadable
from eventfold.fold.fetching import FetchResult, PartitionRecords, _batches
from eventfold.fold.heads import columns_of
from eventfold.fold.kafka_batches import Records, Slices, below, last_offset
from eventfold.fold.runs import UNTOLD

BASE = 100
MAX_BATCH_BYTES = 100_000
LAST_OFFSET_DELTA_AT, ATTRIBUTES_AT, CONTROL = 23, 21, 0x20
Headers = list[tuple[str, bytes | None]]


def headers(seq: int, *more: tuple[str, bytes | None]) -> Headers:
    return [("ce_type", b"t"), ("ce_time", b"2026-01-01T00:00:00+00:00"), ("ce_sequence", b"%d" % seq), *more]


def batch(base: int, rows: Sequence[tuple[bytes | None, bytes | None, Headers]], compression: int = 0) -> bytes:
    """A batch as a broker keeps it, whose first record has the offset `base`."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, MAX_BATCH_BYTES)
    for n, (key, value, own) in enumerate(rows):
        builder.append(n, 1000 + n, key, value, own)
    built = builder.build()
    built[:8] = base.to_bytes(8, "big")
    return bytes(built)


def fetch_of(data: bytes, offset: int = BASE, check_crcs: bool = False) -> Any:
    """What aiokafka keeps of a partition's part of a fetch. Base offsets are not under the CRC."""
    records = PartitionRecords("t", Slices(data), None, offset, _batches, None, check_crcs, 0)
    position = SimpleNamespace(position=offset, paused=False)
    position.consumed_to = lambda at: setattr(position, "position", at)
    assignment = SimpleNamespace(active=True, state_value=lambda _: position)
    return FetchResult("t", assignment=assignment, partition_records=records, backoff=0)


def taken(fetch: Any, most: int) -> Iterator[Any]:
    while fetch.has_more():
        if some := fetch.getall(most):
            yield some


sizes = st.lists(st.integers(1, 7), min_size=1, max_size=5)


@given(sizes=sizes, skipped=st.integers(0, 6), most=st.integers(1, 9), compression=st.sampled_from([0, 1]))
def test_every_record_is_handed_out_once_and_in_order_however_fetches_are_cut(
    sizes: list[int], skipped: int, most: int, compression: int
) -> None:
    data, base = b"", BASE
    for size in sizes:
        data += batch(base, [(b"k", b"v%d" % (base + n), headers(base + n)) for n in range(size)], compression)
        base += size
    fetch = fetch_of(data, BASE + skipped)
    parts = list(taken(fetch, most))
    assert all(isinstance(part, Records) and 0 < len(part) <= most for part in parts)
    assert [one.offset for part in parts for one in part] == list(range(BASE + skipped, base))
    for part, columns in zip(parts, columns_of(parts), strict=True):
        assert list(columns.heads.offsets) == [one.offset for one in part] == list(columns.heads.seqs)
        assert columns.frame["value"].to_list() == [one.value for one in part]
        assert columns.traceparents == [None] * len(part)
        assert set(columns.heads.previous) == {UNTOLD} and last_offset(part) == part[-1].offset
        assert [one.offset for one in below(part, BASE + 4)] == [n for n in columns.heads.offsets if n < BASE + 4]


def test_batches_that_were_compacted_are_parsed() -> None:
    rows = [(b"k", b"v", headers(n)) for n in range(3)]
    whole, compacted = batch(BASE, rows), bytearray(batch(BASE + 3, rows))
    compacted[LAST_OFFSET_DELTA_AT : LAST_OFFSET_DELTA_AT + 4] = (9).to_bytes(4, "big")
    parts = list(taken(fetch_of(whole + bytes(compacted)), 100))
    assert [type(part) for part in parts] == [Records, list]
    assert [one.offset for part in parts for one in part] == [BASE + n for n in range(6)]


def test_markers_of_transactions_are_left_out() -> None:
    marker = bytearray(batch(BASE + 2, [(b"\0\0\0\1", b"", [])]))
    marker[ATTRIBUTES_AT + 1] |= CONTROL
    rows = [(b"k", b"v", headers(n)) for n in range(2)]
    fetch = fetch_of(batch(BASE, rows) + bytes(marker) + batch(BASE + 3, rows))
    [part] = taken(fetch, 100)
    assert [one.offset for one in part] == [BASE, BASE + 1, BASE + 3, BASE + 4]


def test_a_torn_batch_is_refused() -> None:
    torn = bytearray(batch(BASE, [(b"k", b"value", headers(1))]))
    torn[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        fetch_of(bytes(torn), check_crcs=True).getall(10)


@pytest.mark.parametrize(
    "other",
    [
        (None, b"v", headers(2)),
        (b"k", None, headers(2)),
        (b"k", b"v", headers(2, ("more", b""))),
        (b"k", b"v", headers(2)[:2]),
        (b"k", b"v", [("ce_tipe", b"t"), *headers(2)[1:]]),
        (b"k", b"v", [*headers(2)[:2], ("ce_sequence", b"two")]),
        (b"k", b"v", [*headers(2)[:2], ("ce_sequence", None)]),
    ],
    ids=["no key", "no value", "another header", "a header less", "another name", "no number", "no header value"],
)
def test_records_that_are_not_laid_out_as_the_first_are_not_read_as_columns(other: Any) -> None:
    [part] = taken(fetch_of(batch(BASE, [(b"k", b"v", headers(1)), other, (b"k", b"v", headers(3))])), 10)
    with pytest.raises(Unreadable):
        columns_of([part])


def test_the_optional_headers_are_read_where_they_are() -> None:
    more = ("ce_previoussequence", b"4"), ("ce_history", b"h"), ("traceparent", b"00-1-2-01")
    [part] = taken(fetch_of(batch(BASE, [(b"k", b"v", headers(n, *more)) for n in (5, 6)])), 10)
    [columns] = columns_of([part])
    assert columns.heads.previous == [4, 4] and columns.last_history == b"h"
    assert columns.traceparents == [b"00-1-2-01"] * 2 and columns.last_time == b"2026-01-01T00:00:00+00:00"


def test_a_name_that_comes_twice_is_not_read_as_a_column() -> None:
    rows = [(b"k", b"v", headers(n, ("ce_type", b"u"))) for n in (1, 2)]
    [part] = taken(fetch_of(batch(BASE, rows)), 10)
    with pytest.raises(Unreadable):
        columns_of([part])
