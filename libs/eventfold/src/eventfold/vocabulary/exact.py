"""Finds values that would change when they are written as JSON into PostgreSQL and read again.

The check of an annotation is made once. Most kinds of fields then take a fraction of a microsecond. A value of a kind
that is not known here is written, read again and compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import orjson

Check = Callable[[Any], None]
"""Returns if a value would be unchanged; raises `Inexact` otherwise."""

WHOLE_FLOATS = 2**53
"""Up to here, every whole number equals its float."""
INT64 = range(-(2**63), 2**63)


class Inexact(Exception):
    """A value would be refused, or read back as another; `path` leads to it. Holds no value itself."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path

    def within(self, place: str) -> Inexact:
        """The same error, with `place` put before its path."""
        return Inexact(self.reason, f"{place}.{self.path}" if self.path else place)


def text(value: Any) -> None:
    """Accepts text without NUL (for PostgreSQL) and without lone surrogates (for UTF-8)."""
    if type(value) is not str:
        raise Inexact(f"is a {type(value).__name__}, not text")
    if "\x00" in value:
        raise Inexact("contains NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as surrogate:
            raise Inexact("contains a lone surrogate") from surrogate


def _int(value: Any) -> None:
    if type(value) is not int:
        raise Inexact(f"is a {type(value).__name__}, not an int")
    if value not in INT64:
        raise Inexact("does not fit 64 bits")


def _float(value: Any) -> None:
    if type(value) is int and abs(value) <= WHOLE_FLOATS:
        return
    if type(value) is not float:
        raise Inexact(f"is a {type(value).__name__}, not a float")
    if not math.isfinite(value):
        raise Inexact("is not a finite number")
    if value == 0 and math.copysign(1.0, value) < 0:
        raise Inexact("is a negative zero")


def _bool(value: Any) -> None:
    if type(value) is not bool:
        raise Inexact(f"is a {type(value).__name__}, not a bool")


def _none(value: Any) -> None:
    if value is not None:
        raise Inexact(f"is a {type(value).__name__}, not None")


def _datetime(value: Any) -> None:
    if not isinstance(value, datetime):
        raise Inexact(f"is a {type(value).__name__}, not a datetime")
    if value.utcoffset() is None:
        raise Inexact("is a time without a zone")
    if value.tzinfo is not UTC and datetime.fromisoformat(value.isoformat()) != value:
        raise Inexact("is a time that its zone has twice, or not at all; turn it into UTC")


def _date(value: Any) -> None:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Inexact(f"is a {type(value).__name__}, not a date")


_PLAIN: Mapping[Any, Check] = {
    str: text,
    int: _int,
    float: _float,
    bool: _bool,
    NoneType: _none,
    datetime: _datetime,
    date: _date,
}


class Checks:
    """The checks of annotations and classes, each made on first use. `converter` is the cattrs converter to and from
    the data that orjson writes."""

    def __init__(self, converter: Any) -> None:
        self._converter = converter
        self._classes: dict[type[Any], Check] = {}

    def of(self, hint: Any) -> Check:
        """The check of an annotation."""
        if hint in _PLAIN:
            return _PLAIN[hint]
        if is_dataclass(hint) and isinstance(hint, type):
            return lambda value: self.of_class(hint)(value)  # a class may hold itself
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Literal and _are_words(arguments):
            return _one_of(arguments)
        if isinstance(hint, type) and issubclass(hint, Enum) and _are_words([one.value for one in hint]):
            return _member(hint)
        if origin in (Union, UnionType) and len(arguments) == 2 and NoneType in arguments:
            return _optional(self.of(next(part for part in arguments if part is not NoneType)))
        if origin in (Union, UnionType):
            return _both(_any_of([self.of(part) for part in arguments]), self._compared(hint))
        return self._container(origin, arguments) or self._compared(hint)

    def of_class(self, cls: type[Any]) -> Check:
        """The check of a dataclass, or of any other class that cattrs can write."""
        if cls not in self._classes:
            known = is_dataclass(cls) and all(field.init for field in fields(cls))
            self._classes[cls] = self._dataclass(cls) if known else self._compared(cls)
        return self._classes[cls]

    def _dataclass(self, cls: type[Any]) -> Check:
        hints = get_type_hints(cls)
        parts = [(field.name, attrgetter(field.name), self.of(hints[field.name])) for field in fields(cls)]

        def check(value: Any) -> None:
            if type(value) is not cls:
                raise Inexact(f"is a {type(value).__name__}, not a {cls.__name__}")
            for name, get, part in parts:
                try:
                    part(get(value))
                except Inexact as inexact:
                    raise inexact.within(name) from inexact

        return check

    def _container(self, origin: Any, arguments: tuple[Any, ...]) -> Check | None:
        if origin is dict and arguments[0] is str:
            return _mapping(self.of(arguments[1]))
        if origin is tuple and arguments[1:] == (...,):
            return _collection(tuple, self.of(arguments[0]))
        if origin in (list, frozenset, set):
            return _collection(origin, self.of(arguments[0]))
        return None

    def _compared(self, hint: Any) -> Check:
        def check(value: Any) -> None:
            try:
                written = orjson.loads(orjson.dumps(self._converter.unstructure(value, hint)))
                json(written)
                same = self._converter.structure(written, hint) == value
            except Inexact:
                raise
            except Exception as failure:
                raise Inexact(f"cannot be written and read again ({type(failure).__name__})") from failure
            if not same:
                raise Inexact("would be read as another value")

        return check


def _optional(inner: Check) -> Check:
    def check(value: Any) -> None:
        if value is not None:
            inner(value)

    return check


def _are_words(values: Sequence[Any]) -> bool:
    """Whether JSON keeps these values apart and unchanged."""
    return all(type(value) in (str, int) for value in values)


def _any_of(parts: list[Check]) -> Check:
    def check(value: Any) -> None:
        for part in parts:
            try:
                return part(value)
            except Inexact:
                continue
        raise Inexact(f"is a {type(value).__name__}, which its type does not name")

    return check


def _both(first: Check, second: Check) -> Check:
    def check(value: Any) -> None:
        first(value)
        second(value)

    return check


def _one_of(allowed: tuple[Any, ...]) -> Check:
    def check(value: Any) -> None:
        if not any(type(one) is type(value) and one == value for one in allowed):
            raise Inexact("is none of the words that its type names")

    return check


def _member(cls: type[Enum]) -> Check:
    def check(value: Any) -> None:
        if type(value) is not cls:
            raise Inexact(f"is a {type(value).__name__}, not a {cls.__name__}")

    return check


def _collection(kind: type[Any], inner: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not kind:
            raise Inexact(f"is a {type(value).__name__}, not a {kind.__name__}")
        for index, one in enumerate(value):
            try:
                inner(one)
            except Inexact as inexact:
                raise inexact.within(f"[{index}]") from inexact

    return check


def _mapping(inner: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not dict:
            raise Inexact(f"is a {type(value).__name__}, not a dict")
        for key, one in value.items():
            text(key)
            try:
                inner(one)
            except Inexact as inexact:
                raise inexact.within("[…]") from inexact

    return check


def _number_of_any_kind(value: Any) -> None:
    """Accepts what `_float` does, but for whole numbers that nobody turns into floats again: JSON has their shortest
    digits, which as an int are another number."""
    _float(value)
    if WHOLE_FLOATS < abs(value) < 2**64 and int(Decimal(repr(value))) != int(value):
        raise Inexact("is a whole number above 2**53 as a float; take an int")


def json(value: Any) -> None:
    """Accepts JSON values: dicts with text keys, lists, text, numbers, booleans and None."""
    check = _JSON.get(type(value))
    if check is None:
        raise Inexact(f"is a {type(value).__name__}, which JSON has not")
    check(value)


_JSON: Mapping[type[Any], Check] = {
    str: text,
    int: _int,
    float: _number_of_any_kind,
    bool: _bool,
    NoneType: _none,
    list: _collection(list, json),
    dict: _mapping(json),
}
