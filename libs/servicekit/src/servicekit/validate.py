"""Checks of request fields. Each returns the value, or raises `InvalidInput` with the field's name, never with its
value."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from eventfold.errors import InvalidInput
from servicekit import currencies

MAX_BATCH_ITEMS = 500
MAX_ID_CHARS = 200
MAX_PAGE_ITEMS = 200
DEFAULT_PAGE_ITEMS = 50
ITEMS = "items"
"""The field of batch requests whose items are refused one by one (see `servicekit.imports`)."""


def request(message: Any) -> None:
    """Raise `InvalidInput` for a request that cannot be read, has a field that its message does not know, however deep,
    or a text that holds NUL (see `texts`). `message` is what `reading` gave it. Costs little where all is well."""
    if isinstance(message, Unreadable):
        raise InvalidInput("is not a message of this method, or not in UTF-8", field="request")
    sent_bytes = message.ByteSize()
    message.DiscardUnknownFields()
    known = message.SerializeToString()
    if len(known) != sent_bytes:
        raise InvalidInput("has fields that its message does not know", field="request")
    _refuse_nul(message, known, within_items=False)


def texts(message: Message, *, within_items: bool = False) -> None:
    """Raise `InvalidInput` for the first text, at any depth, that contains NUL, which PostgreSQL cannot store. `items`
    are skipped unless `within_items`: they are refused one by one. Costs little if no byte is 0."""
    _refuse_nul(message, message.SerializeToString(), within_items=within_items)


def _refuse_nul(message: Message, encoded: bytes, *, within_items: bool) -> None:
    if b"\x00" in encoded:
        for path in _with_nul(message, within_items=within_items):
            raise InvalidInput("must not contain NUL", field=path)


class Unreadable:
    """Stands for a request that could not be decoded."""


def size_bytes(message: Message | Unreadable) -> int:
    """The size of a request on the wire; `message` comes from `reading`."""
    return 0 if isinstance(message, Unreadable) else message.ByteSize()


def reading(deserialize: Callable[[bytes], Message]) -> Callable[[bytes], Message | Unreadable]:
    """`deserialize`, but returns `Unreadable` for bytes that it refuses: otherwise gRPC would answer INTERNAL."""

    def read(raw: bytes) -> Message | Unreadable:
        try:
            return deserialize(raw)
        except DecodeError:
            return Unreadable()

    return read


def _with_nul(message: Message, *, within_items: bool) -> Iterator[str]:
    """The paths of the texts that contain NUL, including map keys."""
    for field, value in message.ListFields():
        if field.name != ITEMS or within_items:
            for place, one in _each(field, value):
                if isinstance(one, Message):
                    yield from (f"{place}.{inner}" for inner in _with_nul(one, within_items=within_items))
                elif isinstance(one, str) and "\x00" in one:
                    yield place


def _each(field: FieldDescriptor, value: Any) -> Iterator[tuple[str, Any]]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        yield from ((f"{field.name}.keys", key) for key in value)
        yield from ((field.name, value[key]) for key in value)
    elif field.is_repeated:
        yield from ((f"{field.name}[{index}]", one) for index, one in enumerate(value))
    else:
        yield field.name, value


def text(value: str, field: str, *, min_chars: int = 1, max_chars: int) -> str:
    """A string of bounded length without NUL, which PostgreSQL cannot store."""
    if not min_chars <= len(value) <= max_chars:
        raise InvalidInput(f"must have {min_chars} to {max_chars} characters", field=field)
    if "\x00" in value:
        raise InvalidInput("must not contain NUL", field=field)
    return value


def line(value: str, field: str, *, max_chars: int) -> str:
    """A text that is shown on one line, as a title or a name: not blank, and without control characters, line breaks
    and the marks that turn the direction of writing."""
    text(value, field, max_chars=max_chars)
    if not value.strip() or _UNSHOWN.search(value):
        raise InvalidInput("must not be blank, or hold line breaks or control characters", field=field)
    return value


_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]")


def web_uri(value: str, field: str, *, max_chars: int) -> str:
    """The address of something on the web: `https`, or `http`, with a host. Nothing that runs or reads files."""
    text(value, field, max_chars=max_chars)
    try:
        parts = urlsplit(value)
        named = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or not value.isprintable() or " " in value:
        raise InvalidInput("must be an https or http address with a host", field=field)
    return value


def asked_id(value: str, field: str) -> str:
    """An id in a query; it need not exist."""
    return text(value, field, min_chars=0, max_chars=MAX_ID_CHARS)


def path_id(value: str, field: str) -> str:
    """An id that a client chooses: what is created under it is read back by a path, in which `/ \\ : % ? #`, spaces
    and control characters, and `.` and `..` alone, mean something else."""
    if not _PATH_ID.fullmatch(value) or value in {".", ".."}:
        raise InvalidInput(f"must have 1 to {MAX_ID_CHARS} characters, none of / \\ : % ? # or space", field=field)
    return value


_PATH_ID = re.compile(rf"[^\s\x00-\x1f\x7f-\x9f/\\:%?#]{{1,{MAX_ID_CHARS}}}")


def one_of(value: str, field: str, allowed: Collection[str]) -> str:
    """A word from a closed list."""
    if value not in allowed:
        raise InvalidInput(f"must be one of: {', '.join(sorted(allowed))}", field=field)
    return value


def between(value: int, field: str, low: int, high: int) -> int:
    """An integer within bounds, both included."""
    if not low <= value <= high:
        raise InvalidInput(f"must be from {low} to {high}", field=field)
    return value


def batch_size(count: int, field: str = "items") -> int:
    """The number of items of a batch: 1 to `MAX_BATCH_ITEMS`."""
    return between(count, field, 1, MAX_BATCH_ITEMS)


def page_size(value: int) -> int:
    """Rows of a page: `DEFAULT_PAGE_ITEMS` if the caller sends 0."""
    return DEFAULT_PAGE_ITEMS if value == 0 else between(value, "page_size", 1, MAX_PAGE_ITEMS)


def currency(value: str, field: str, since: date | None = None) -> str:
    """The ISO 4217 code of a currency that is in use and has minor units: no metal, fund or test code. With `since`,
    of one that was in use on that day, too, or at any time after it."""
    if not currencies.is_currency(value, since):
        raise InvalidInput("must be the ISO 4217 code of a currency that is in use, as CNY", field=field)
    return value


def past_time(value: Timestamp, field: str, now: datetime) -> datetime:
    """A time that is set and not in the future, as UTC."""
    at = utc(value, field)
    if at > now:
        raise InvalidInput("must not be in the future", field=field)
    return at


def utc(value: Timestamp, field: str) -> datetime:
    """A time that is set, as UTC."""
    if value.seconds == 0 and value.nanos == 0:
        raise InvalidInput("must be set", field=field)
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as failure:
        raise InvalidInput("must be a time between the years 1 and 9999", field=field) from failure


def as_of(value: Timestamp, present: bool, now: datetime) -> datetime:
    """The moment that a query looks at: the requested one, else now."""
    return utc(value, "as_of") if present else now
