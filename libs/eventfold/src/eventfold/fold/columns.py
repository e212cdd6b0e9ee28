"""Values of one writer schema as columns, read in one call.

A framed value is a frame and an Avro datum. Joined values are therefore datum, frame, datum, frame, ...: an Avro block
of records whose last field is a constant of fixed size. With a container header made once, polars reads them into
columns. A datum that is longer or shorter than its schema says shifts all bytes after it, so that a frame is not where
it belongs.

Imported only where batches are applied as sets, because polars takes some 40 MB of memory.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from eventfold.publish.publisher import Avro
from eventfold.vocabulary.public import Written

NEXT = "next frame"
SYNC = bytes(16)
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The times that Python has, in microseconds: the years 1 to 9999."""


class Unreadable(Exception):
    """These events cannot be read or merged as columns; read one by one they may still be applied."""


class Block:
    """Reads values with one frame."""

    def __init__(self, written: Written) -> None:
        self.type = written.type.encode()
        self.frame = written.frame
        own = {one["name"]: one for one in written.schema["fields"]}
        following = {"name": NEXT, "type": {"type": "fixed", "name": "frame", "size": len(self.frame)}}
        self._header = container({"type": "record", "name": "block", "fields": [*own.values(), following]})
        self._newest = {one["name"]: one for one in written.newest["fields"]}
        self._newest_header = container(written.newest)
        self._own = set(own)
        self._same = {name for name, one in own.items() if _plain(one["type"]) == _plain(self._typed(name))}

    def _typed(self, name: str) -> Any:
        return self._newest.get(name, {}).get("type")

    def read(self, values: Sequence[bytes], fields: Sequence[str]) -> pl.DataFrame:
        """These fields of each value, as the newest minor has them. Raises `Unreadable`."""
        own = [name for name in fields if name in self._same]
        added = [self._default(name) for name in fields if name not in own]
        body = b"".join(values)[len(self.frame) :] + self.frame
        block = b"".join((self._header, zigzag(len(values)), zigzag(len(body)), body, SYNC))
        with readable("a block"):
            found = pl.read_avro(io.BytesIO(block), columns=[*own, NEXT])
        if found.height != len(values) or not found.select((pl.col(NEXT) == self.frame).all()).item():
            raise Unreadable("a value does not fit its schema")
        _check_times(found)
        return found.with_columns(*added).select(fields)

    def _default(self, name: str) -> pl.Expr:
        """A field that the writer did not have; a part of a record that is null is null, too."""
        if name in self._own:
            raise Unreadable(f"{name} has another type since")
        field = self._newest.get(name, {})
        if "default" not in field or not isinstance(field["default"], str | int | float | bool | None):
            raise Unreadable(f"no default for {name}")
        if field["default"] is None:
            return pl.lit(None, self._kinds[name]).alias(name)
        if "logicalType" in json.dumps(field["type"]):
            raise Unreadable(f"the default of {name} is not what it looks like")
        return pl.lit(field["default"]).alias(name)

    @functools.cached_property
    def _kinds(self) -> pl.Schema:
        """The type of each column, as polars reads the newest minor."""
        with readable("a schema"):
            return pl.read_avro(io.BytesIO(self._newest_header)).schema


@contextlib.contextmanager
def readable(what: str) -> Iterator[None]:
    """Raise `Unreadable` for whatever polars raises while it reads this: on wrong bytes it panics, too."""
    try:
        yield
    except (Exception, pl.exceptions.PanicException) as failure:
        raise Unreadable(f"{type(failure).__name__} while {what} is read") from failure


def _check_times(found: pl.DataFrame) -> None:
    for name, kind in found.schema.items():
        if isinstance(kind, pl.Datetime) and not found[name].to_physical().is_between(FIRST_US, LAST_US).all():
            raise Unreadable(f"a time in {name} is out of range")


def _plain(schema: Any) -> Any:
    """A schema without what does not change how it is read."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if isinstance(schema, dict):
        return {name: _plain(one) for name, one in schema.items() if name not in ("doc", "aliases")}
    return schema


def zigzag(number: int) -> bytes:
    """An Avro long that is not negative."""
    number <<= 1
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def container(schema: Any) -> bytes:
    """The header of an Avro file of records of this schema; blocks follow, each with `SYNC` after it."""
    name, text = b"avro.schema", json.dumps(schema).encode()
    return b"".join((b"Obj\x01", zigzag(1), zigzag(len(name)), name, zigzag(len(text)), text, zigzag(0), SYNC))


class Blocks:
    """The blocks that a codec can read, each made when it is first met."""

    def __init__(self, avro: Avro) -> None:
        self._avro = avro
        self._known: dict[bytes, Block] = {}

    def of(self, value: bytes) -> Block:
        """The block of a value. Raises `Unreadable` if its schema is not known or cannot be read as columns."""
        written = self._avro.written(value)
        if written is None:
            raise Unreadable("a value of an unknown schema")
        if written.frame not in self._known:
            self._known[written.frame] = Block(written)
        return self._known[written.frame]
