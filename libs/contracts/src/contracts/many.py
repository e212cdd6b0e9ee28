"""Reads many datums of one writer schema in one call of fastavro, because a call costs a third of reading one datum.

An Avro array may be written in blocks (Avro 1.12, "Arrays": a count, then that many items, until a count of zero). So
datums with a count of one before each and a zero after the last form an array. A datum that is longer or shorter than
its schema says shifts everything after it: a count is then in the wrong place, and the number of items or of bytes does
not match.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast

from fastavro import parse_schema, schemaless_reader

ONE, END = b"\x02", b"\x00"
"""The counts one and zero in zigzag encoding."""
WORTH_IT = 16
"""Number of datums of a schema from which one call is cheaper than many."""


class Malformed(Exception):
    """At least one of the datums does not fit its writer schema: read them one by one to see which."""


def array_of(schema: Any) -> Any:
    """The parsed schema of an array with items of the parsed `schema`; None for None."""
    return schema and parse_schema({"type": "array", "items": schema})


def read_many(datums: Sequence[bytes], writer: Any, reader: Any) -> list[Any]:
    """All datums, in order. `writer` and `reader` come from `array_of`. Raises `Malformed`."""
    whole = ONE.join([b"", *datums]) + END
    source = io.BytesIO(whole)
    try:
        found = cast("list[Any]", schemaless_reader(source, writer, reader))
    except Exception as failure:  # fastavro raises many kinds of exceptions for wrong bytes
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
