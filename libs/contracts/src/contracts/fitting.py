"""Checks that a datum fits its Avro schema before it is encoded. The encoder would write 1.5 into a `long` as 1, 2^31
into an `int`, True as a number, and a time without a zone in the machine's zone.

The check of a schema is built once; a check takes about half as long as encoding. Errors do not show refused values.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer

Check = Callable[[Any], None]
"""Returns if a datum fits, else raises `DoesNotFit`."""


class DoesNotFit(ValueError):
    """A datum does not fit its schema; `path` leads to the wrong part. Holds no value."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path

    def within(self, place: str) -> DoesNotFit:
        """The same error with the path from the enclosing datum."""
        return DoesNotFit(self.reason, f"{place}.{self.path}" if self.path else place)


def fitting(schema: Any, named: dict[str, Check] | None = None) -> Check:
    """The check of a parsed schema. `named` are the records and enums that it may refer to."""
    known = {} if named is None else named
    if isinstance(schema, list):
        parts = [fitting(part, known) for part in schema if part != "null"]
        some = parts[0] if len(parts) == 1 else _any_of(parts)
        return _optional(some) if "null" in schema else some
    if isinstance(schema, str):
        return _PLAIN[schema] if schema in _PLAIN else lambda datum: known[schema](datum)
    if "logicalType" in schema:
        return _LOGICAL.get((schema["type"], schema["logicalType"])) or _compared(schema)
    if schema["type"] in ("record", "error"):
        return _record(schema, known)
    return _nested(schema, known)


def _nested(schema: Any, known: dict[str, Check]) -> Check:
    kind = schema["type"]
    if kind == "array":
        return _array(fitting(schema["items"], known))
    if kind == "map":
        return _map(fitting(schema["values"], known))
    if kind == "enum":
        known[schema["name"]] = _symbol(frozenset(schema["symbols"]))
        return known[schema["name"]]
    return _compared(schema) if kind == "fixed" else fitting(kind, known)


def _record(schema: Any, known: dict[str, Check]) -> Check:
    parts: list[tuple[str, Check]] = []

    def check(datum: Any) -> None:
        if not isinstance(datum, Mapping):
            raise DoesNotFit("is no record")
        for name, part in parts:
            if name in datum:  # the encoder refuses missing fields
                try:
                    part(datum[name])
                except DoesNotFit as failure:
                    raise failure.within(name) from failure

    known[schema["name"]] = check
    parts += [(field["name"], fitting(field["type"], known)) for field in schema["fields"]]
    return check


def _optional(some: Check) -> Check:
    def check(datum: Any) -> None:
        if datum is not None:
            some(datum)

    return check


def _any_of(parts: list[Check]) -> Check:
    def check(datum: Any) -> None:
        failure = DoesNotFit("fits no branch")
        for part in parts:
            try:
                return part(datum)
            except DoesNotFit as last:
                failure = last
        raise failure

    return check


def _array(item: Check) -> Check:
    def check(datum: Any) -> None:
        if not isinstance(datum, list | tuple):
            raise DoesNotFit("is no list")
        for index, one in enumerate(datum):
            try:
                item(one)
            except DoesNotFit as failure:
                raise failure.within(f"[{index}]") from failure

    return check


def _map(value: Check) -> Check:
    def check(datum: Any) -> None:
        if not isinstance(datum, Mapping):
            raise DoesNotFit("is no map")
        for key, one in datum.items():
            _string(key)
            value(one)

    return check


def _symbol(symbols: frozenset[str]) -> Check:
    def check(datum: Any) -> None:
        if type(datum) is not str or datum not in symbols:
            raise DoesNotFit("is none of the enum's symbols")

    return check


def _typed(*kinds: type[Any]) -> Check:
    def check(datum: Any) -> None:
        if type(datum) not in kinds:
            raise DoesNotFit(f"is a {type(datum).__name__}, not a {kinds[0].__name__}")

    return check


def _whole(bits: int) -> Check:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def check(datum: Any) -> None:
        if type(datum) is not int or not low <= datum <= high:
            raise DoesNotFit(f"is no whole number of {bits} bits")

    return check


def _number(datum: Any) -> None:
    if type(datum) not in (float, int) or not math.isfinite(datum) or datum != float(datum):
        raise DoesNotFit("is no finite number that a double can hold")


def _single(datum: Any) -> None:
    _number(datum)
    try:
        same = struct.unpack("<f", struct.pack("<f", datum))[0] == datum
    except OverflowError:
        same = False
    if not same:
        raise DoesNotFit("loses digits as a float; let the schema say double")


def _string(datum: Any) -> None:
    if type(datum) is not str or "\x00" in datum:
        raise DoesNotFit("is no text, or contains NUL, which no read table can hold")


def _instant(datum: Any) -> None:
    if not isinstance(datum, datetime) or datum.utcoffset() is None:
        raise DoesNotFit("is no time with a zone")


def _milliseconds(datum: Any) -> None:
    _instant(datum)
    if datum.microsecond % 1000:
        raise DoesNotFit("has microseconds, and the schema says milliseconds")


def _day(datum: Any) -> None:
    if not isinstance(datum, date) or isinstance(datum, datetime):
        raise DoesNotFit("is no date")


def _compared(schema: Any) -> Check:
    """The check for kinds that have none here: the datum is written, read back and compared."""
    parsed = parse_schema(schema)

    def check(datum: Any) -> None:
        buffer = io.BytesIO()
        try:
            schemaless_writer(buffer, parsed, datum)
            buffer.seek(0)
            same = schemaless_reader(buffer, parsed, None) == datum
        except Exception as failure:
            raise DoesNotFit(f"cannot be written ({type(failure).__name__})") from failure
        if not same:
            raise DoesNotFit("would be read as another value")

    return check


_PLAIN: Mapping[str, Check] = {
    "null": _typed(type(None)),
    "boolean": _typed(bool),
    "int": _whole(32),
    "long": _whole(64),
    "float": _single,
    "double": _number,
    "string": _string,
    "bytes": _typed(bytes),
}
_LOGICAL: Mapping[tuple[str, str], Check] = {
    ("long", "timestamp-micros"): _instant,
    ("long", "timestamp-millis"): _milliseconds,
    ("int", "date"): _day,
}
