"""What declarations take from events, as data: the same value is read from one event and from a column of many.

    adds(rating_sum=field("rating") - field("previous", otherwise=0), ratings=missing("previous"))

A text names a field of the event; dots lead into nested records (`charged.amount_minor`). A function of the event's
data says what no value can, and keeps its projection from being applied as a set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import NoneType
from typing import Any, get_args, get_type_hints

from typing_extensions import override

from eventfold.vocabulary.public import Data, PublicType

Of = str | Callable[[Data], Any]
"""Names a field of the data of an event, or is a value or function that takes something from it."""


class Value(ABC):
    """Something that an event says, or that is the same for every event."""

    @abstractmethod
    def __call__(self, data: Any) -> Any:
        """What this event says."""

    @property
    def taker(self) -> Callable[[Any], Any]:
        """The fastest function that says the same."""
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return ()

    def __sub__(self, other: Value) -> Minus:
        """The difference of two numbers."""
        return Minus(self, other)


@dataclass(frozen=True, slots=True)
class Always(Value):
    """The same for every event."""

    value: Any

    @override
    def __call__(self, data: Any) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class Field(Value):
    """A field of the event; `otherwise` if it is None, or lies in a record that is None."""

    path: str
    otherwise: Any = None

    @override
    def __call__(self, data: Any) -> Any:
        for name in self.path.split("."):
            data = None if data is None else data[name]
        return self.otherwise if data is None else data

    @property
    @override
    def taker(self) -> Callable[[Any], Any]:
        return itemgetter(self.path) if "." not in self.path and self.otherwise is None else self

    @property
    @override
    def paths(self) -> tuple[str, ...]:
        return (self.path,)


@dataclass(frozen=True, slots=True)
class Missing(Value):
    """1 if the field is None, else 0."""

    path: str

    @override
    def __call__(self, data: Any) -> int:
        return int(Field(self.path)(data) is None)

    @property
    @override
    def paths(self) -> tuple[str, ...]:
        return (self.path,)


@dataclass(frozen=True, slots=True)
class Where(Value):
    """The value for events whose field `flag` is true, 0 for others."""

    flag: str
    value: Value

    @override
    def __call__(self, data: Any) -> Any:
        return self.value(data) if Field(self.flag)(data) else 0

    @property
    @override
    def paths(self) -> tuple[str, ...]:
        return (self.flag, *self.value.paths)


@dataclass(frozen=True, slots=True)
class Minus(Value):
    """The difference of two numbers."""

    left: Value
    right: Value

    @override
    def __call__(self, data: Any) -> Any:
        return self.left(data) - self.right(data)

    @property
    @override
    def paths(self) -> tuple[str, ...]:
        return (*self.left.paths, *self.right.paths)


def always(value: Any) -> Value:
    """The same for every event."""
    return Always(value)


def field(path: str, otherwise: Any = None) -> Value:
    """What the event says there; `otherwise` if that is None."""
    return Field(path, otherwise)


def missing(path: str) -> Value:
    """1 for an event that says nothing there, else 0."""
    return Missing(path)


def where(flag: str, value: Of[Any]) -> Value:
    """The value for events whose field `flag` is true, 0 for others. Raises TypeError for a function."""
    taken = value_of(value)
    if not isinstance(taken, Value):
        raise TypeError("where takes a field or a value")
    return Where(flag, taken)


def value_of(of: Of[Data] | int) -> Callable[[Data], Any]:
    """The value that a declaration names: of a text the field, of a number itself; a value or function as it is."""
    if isinstance(of, int):
        return Always(of)
    return Field(of) if isinstance(of, str) else of


def unknown_fields(event: PublicType[Any], values: Sequence[Callable[[Any], Any]]) -> list[str]:
    """The fields that these values read and the event does not have."""
    paths = [path for value in values if isinstance(value, Value) for path in value.paths]
    return [path for path in dict.fromkeys(paths) if not _has(event.fields, path.split("."))]


def _has(record: Any, names: Sequence[str]) -> bool:
    """Whether a TypedDict has a field, or fields of fields, of these names."""
    if names[0] not in getattr(record, "__annotations__", ()):
        return False
    if len(names) == 1:
        return True
    hint = get_type_hints(record)[names[0]]
    inner = [one for one in get_args(hint) or (hint,) if one is not NoneType]
    return _has(inner[0], names[1:])
