"""Messages as JSON of protobuf: 64-bit numbers and times are texts, what is at its default is left out."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, NamedTuple, Self

from lyceum_client.errors import BadAnswer, BadRequest

_NOT_NUMBERS: Final = ("NaN", "Infinity", "-Infinity")


class Field(NamedTuple):
    """How a field of a message stands in JSON. `values` is the kind of a map's values. `is_absent`: it may be unset."""

    name: str
    json_name: str
    kind: str
    of: type[Message] | None
    values: str
    many: bool
    is_absent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What every message has. `unknown`: fields of a newer server, which are sent back as they came."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()
    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the message. Raises `BadRequest` for a time without a zone."""
        made = {one.json_name: _written(one, getattr(self, one.name)) for one in self.FIELDS if self._says(one)}
        return {**self.unknown, **made}

    @classmethod
    def from_json(cls, found: Any, at: str = "") -> Self:
        """The message that a JSON object is. Raises `BadAnswer` where something is of another type."""
        if not isinstance(found, dict):
            raise BadAnswer(at or cls.__name__, "no JSON object")
        known = {one.json_name for one in cls.FIELDS}
        said = {one.name: _read(one, found[one.json_name], _place(at, one)) for one in cls.FIELDS if _is_in(one, found)}
        return cls(unknown={name: value for name, value in found.items() if name not in known}, **said)

    def _says(self, one: Field) -> bool:
        value = getattr(self, one.name)
        if one.many or one.kind == "map":
            return bool(value)
        return value is not None and (one.is_absent or bool(value))


def _is_in(one: Field, found: Mapping[str, Any]) -> bool:
    return found.get(one.json_name) is not None


def _place(at: str, one: Field) -> str:
    return f"{at}.{one.json_name}" if at else one.json_name


def _written(one: Field, value: Any) -> Any:
    if one.kind == "map":
        return {key: _value(one, one.values, item) for key, item in value.items()}
    if one.many:
        return [_value(one, one.kind, item) for item in value]
    return _value(one, one.kind, value)


def _value(one: Field, kind: str, value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_json()
    if kind == "long":
        return str(value)
    if kind == "bytes":
        return base64.b64encode(value).decode()
    if kind == "number" and not math.isfinite(value):
        raise BadRequest(one.json_name, "must be a finite number")
    return _stamp(one, value) if kind == "moment" else value


def _stamp(one: Field, value: datetime) -> str:
    if value.tzinfo is None:
        raise BadRequest(one.json_name, "must be a time with a zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read(one: Field, found: Any, at: str) -> Any:
    if one.kind == "map":
        return {key: _READERS[one.values](item, at) for key, item in _typed(found, dict, at).items()}
    if one.many:
        return tuple(_item(one, item, f"{at}[{place}]") for place, item in enumerate(_typed(found, list, at)))
    return _item(one, found, at)


def _item(one: Field, found: Any, at: str) -> Any:
    return one.of.from_json(found, at) if one.of is not None else _READERS[one.kind](found, at)


def _typed(found: Any, wanted: type[Any], at: str) -> Any:
    if not isinstance(found, wanted) or (wanted is not bool and isinstance(found, bool)):
        raise BadAnswer(at, f"is no {wanted.__name__}")
    return found


def _text(found: Any, at: str) -> str:
    return str(_typed(found, str, at))


def _flag(found: Any, at: str) -> bool:
    return bool(_typed(found, bool, at))


def _whole(found: Any, at: str) -> int:
    is_text = isinstance(found, str) and found.isascii() and found.removeprefix("-").isdigit()
    return int(found) if is_text else int(_typed(found, int, at))


def _number(found: Any, at: str) -> float:
    return float(found) if found in _NOT_NUMBERS else float(_typed(found, int | float, at))  # type: ignore[arg-type]


def _bytes(found: Any, at: str) -> bytes:
    try:
        return base64.b64decode(_text(found, at), validate=True)
    except binascii.Error as failure:
        raise BadAnswer(at, "is no base64") from failure


def _moment(found: Any, at: str) -> datetime:
    try:
        return datetime.fromisoformat(_text(found, at))
    except ValueError as failure:
        raise BadAnswer(at, "is no time") from failure


_READERS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "text": _text,
    "flag": _flag,
    "whole": _whole,
    "long": _whole,
    "number": _number,
    "bytes": _bytes,
    "moment": _moment,
}
