"""What a client must know of the contracts, in no language yet: public calls, their messages, what the protos say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from lyceum_generate.methods import method
from servicekit.policy import Policy

Kind = Literal["text", "whole", "long", "number", "flag", "bytes", "moment", "message", "map"]
Repeats = Literal["always", "with_key", "never"]
"""Whether a call may be sent a second time when nobody knows what became of the first."""

TIMESTAMP: Final = "google.protobuf.Timestamp"
_KINDS: Final[dict[int, Kind]] = {
    FieldDescriptor.TYPE_STRING: "text",
    FieldDescriptor.TYPE_INT32: "whole",
    FieldDescriptor.TYPE_INT64: "long",
    FieldDescriptor.TYPE_DOUBLE: "number",
    FieldDescriptor.TYPE_BOOL: "flag",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_MESSAGE: "message",
}
_REPEATABLE: Final = frozenset({"RevokeSession", "RefreshSession"})
"""Commands that identity promises to answer alike when they come again soon (a refresh: within 10 s)."""


class NoClientType(Exception):
    """A field has a type that clients cannot carry yet: add it to `_KINDS` and to each language."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} has a type that the generated clients do not know")
        self.field = field


@dataclass(frozen=True)
class Field:
    """A field. `of` is the full name of its message, and of a map the kind of its values. `is_absent` is whether a
    reader can tell that it is not there."""

    name: str
    kind: Kind
    of: str
    many: bool
    is_absent: bool
    doc: str


@dataclass(frozen=True)
class Message:
    """A message by its full name, with its fields in the order of the proto."""

    full_name: str
    fields: tuple[Field, ...]
    doc: str

    @property
    def name(self) -> str:
        """The last part of the full name."""
        return self.full_name.rpartition(".")[2]

    @property
    def context(self) -> str:
        """The second part of the full name: `lyceum.billing.v1.Quote` is of billing."""
        return self.full_name.split(".")[1]


@dataclass(frozen=True)
class Call:
    """An RPC on its road of JSON. `body` is `*`, the one field that is the body, or empty. `pages` is the field of the
    answer that holds a page of what is listed, empty where there are no pages. `waits`: consistency tokens count.
    `streams`: it answers with many messages."""

    service: str
    name: str
    verb: str
    path: str
    body: str
    request: Message
    answer: Message
    bearer: str
    waits: bool
    repeats: Repeats
    pages: str
    streams: bool
    doc: str

    @property
    def in_path(self) -> list[str]:
        """The fields that stand in the path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def snake(self) -> str:
        """`PlaceOrder` as `place_order`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()


Docs = dict[str, str]


def calls(described: Sequence[tuple[MethodDescriptor, Policy]], docs: Docs) -> list[Call]:
    """Every call that clients make; those of payment providers are none. Raises `NoClientType`, `NoRoad`."""
    return [_call(one, policy, docs) for one, policy in described if policy.rate != "provider"]


def messages(of: Sequence[Call], pool: dict[str, Message]) -> list[Message]:
    """Every message that these calls need, each after those that it holds."""
    ordered: dict[str, Message] = {}

    def visit(one: Message) -> None:
        for field in one.fields:
            if field.of in pool and field.of not in ordered:
                visit(pool[field.of])
        ordered.setdefault(one.full_name, one)

    for call in of:
        visit(call.request)
        visit(call.answer)
    return list(ordered.values())


def pool_of_messages(described: Sequence[tuple[MethodDescriptor, Policy]], docs: Docs) -> dict[str, Message]:
    """The messages of these calls and all that they hold, by their full names. Raises `NoClientType`."""
    found: dict[str, Message] = {}
    waiting = [
        kind for one, policy in described if policy.rate != "provider" for kind in (one.input_type, one.output_type)
    ]
    while waiting:
        one = waiting.pop()
        if one.full_name not in found:
            found[one.full_name] = message_of(one, docs)
            waiting += [held for field in one.fields if (held := _held(field)) is not None]
    return found


def _held(field: FieldDescriptor) -> Descriptor | None:
    kind = field.message_type
    is_plain = kind is None or kind.full_name == TIMESTAMP or kind.GetOptions().map_entry
    return None if is_plain else kind


def _call(one: MethodDescriptor, policy: Policy, docs: Docs) -> Call:
    known = method(one, policy)
    answer = message_of(one.output_type, docs)
    return Call(
        service=known.grpc.split(".")[1],
        name=str(one.name),
        verb=known.verb,
        path=known.path,
        body=_body(known.body, one),
        request=message_of(one.input_type, docs),
        answer=answer,
        bearer=known.bearer,
        waits=bool(policy.reads),
        repeats=_repeats(str(one.name), policy),
        pages=_pages(answer),
        streams=known.streams,
        doc=docs.get(str(one.full_name), ""),
    )


def _body(of: str, one: MethodDescriptor) -> str:
    if not of or of == one.input_type.full_name:
        return "*" if of else ""
    return next(str(field.name) for field in one.input_type.fields if _of(field) == of)


def _repeats(name: str, policy: Policy) -> Repeats:
    if policy.idempotent:
        return "with_key"
    return "always" if policy.rate in ("query", "import") or name in _REPEATABLE else "never"


def _pages(answer: Message) -> str:
    lists = [field.name for field in answer.fields if field.many and field.kind == "message"]
    has_next = any(field.name == "next_page_token" for field in answer.fields)
    return lists[0] if has_next and len(lists) == 1 else ""


def message_of(one: Descriptor, docs: Docs) -> Message:
    """The message of a descriptor. Raises `NoClientType`."""
    fields = tuple(_field(field, docs) for field in one.fields)
    return Message(str(one.full_name), fields, docs.get(str(one.full_name), ""))


def _field(one: FieldDescriptor, docs: Docs) -> Field:
    kind, of = _kind(one), _of(one)
    is_absent = not one.is_repeated and bool(one.has_presence)
    doc = docs.get(str(one.full_name), "")
    return Field(str(one.name), kind, of, bool(one.is_repeated) and kind != "map", is_absent, doc)


def _kind(one: FieldDescriptor) -> Kind:
    if one.message_type is not None and one.message_type.full_name == TIMESTAMP:
        return "moment"
    if one.message_type is not None and one.message_type.GetOptions().map_entry:
        return "map"
    if one.type not in _KINDS:
        raise NoClientType(str(one.full_name))
    return _KINDS[one.type]


def _of(one: FieldDescriptor) -> str:
    kind = one.message_type
    if kind is None or kind.full_name == TIMESTAMP:
        return ""
    if kind.GetOptions().map_entry:
        return _kind(kind.fields_by_name["value"])
    return str(kind.full_name)
