"""Many datums of one writer schema, read by one call of fastavro: a call costs a third of what it reads.

An Avro array may come in blocks (Avro 1.12, "Arrays": a count, then so many items, until a count of zero). So datums
with a count of one before each and a zero after the last are an array. A datum that is longer or shorter than its
schema says shifts all that follow it; then a count is not where it should be, and the items or the bytes do not add up.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast

from fastavro import parse_schema, schemaless_reader

ONE, END = b"\x02", b"\x00"
"""Counts of one and of zero, zigzag."""
WORTH_IT = 16
"""Datums of a schema from which on one call is cheaper than many."""


class Malformed(Exception):
    """At least one of the datums is not what its writer schema says: read one by one to see which."""


def array_of(schema: Any) -> Any:
    """The parsed schema of an array of what `schema`, parsed, describes; None of None."""
    return schema and parse_schema({"type": "array", "items": schema})


def read_many(datums: Sequence[bytes], writer: Any, reader: Any) -> list[Any]:
    """Each datum, in order. `writer` and `reader` are of `array_of`. Raises `Malformed`."""
    whole = ONE.join([b"", *datums]) + END
    source = io.BytesIO(whole)
    try:
        found = cast("list[Any]", schemaless_reader(source, writer, reader))
    except Exception as failure:  # fastavro raises whatever a wrong byte leads to
        raise Malformed from failure
    if len(found) != len(datums) or source.tell() != len(whole):
        raise Malformed
    return found


def grouped(names: Sequence[bytes], datums: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    """The datums of each name, in order."""
    groups: dict[bytes, list[bytes]] = defaultdict(list)
    for name, datum in zip(names, datums, strict=True):
        groups[name].append(datum)
    return groups
