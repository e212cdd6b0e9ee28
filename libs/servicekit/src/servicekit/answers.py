"""Limits the size of answers as JSON, because the gateway converts answers to JSON and limits them. They are refused or
cut here, where the right reaction is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from eventfold.errors import AnswerTooLarge

MAX_ANSWER_BYTES = 7 * 1024 * 1024
"""Limit for an answer as JSON. The gateway accepts 8 MiB with everything around it."""
MAX_PAGE_BYTES = 2 * 1024 * 1024
"""Limit for the rows of one page as JSON. A page that was cut to fewer rows has a token like any other."""
MAX_WORK_BYTES = MAX_ANSWER_BYTES - 512 * 1024
"""Limit for the texts of one object as JSON, so that an answer that holds it stays below `MAX_ANSWER_BYTES`."""
_EXPANSION = 16
"""JSON is at most this many times larger than the message: short numbers under long names."""
_ESCAPED_BYTES = len("\\u003c") - 1
"""Bytes that the gateway adds to each angle bracket."""


def check(answer: Message) -> None:
    """Raise `AnswerTooLarge` above `MAX_ANSWER_BYTES`. Costs a microsecond for answers below a sixteenth of it."""
    if answer.ByteSize() * _EXPANSION > MAX_ANSWER_BYTES and (found := json_bytes(answer)) > MAX_ANSWER_BYTES:
        raise AnswerTooLarge(found, MAX_ANSWER_BYTES)


def fitting(messages: Sequence[Message], max_bytes: int = MAX_PAGE_BYTES) -> int:
    """How many of these messages, from the first, fit in a page: at least one, if there is one."""
    if sum(message.ByteSize() for message in messages) * _EXPANSION <= max_bytes:
        return len(messages)
    left = max_bytes
    for count, message in enumerate(messages):
        left -= json_bytes(message)
        if left < 0:
            return max(1, count)
    return len(messages)


def json_bytes(message: Message) -> int:
    """Bytes of a message as the gateway's JSON."""
    text = MessageToJson(message, indent=None, ensure_ascii=False)
    return len(text.encode()) + _ESCAPED_BYTES * sum(map(text.count, _BRACKETS))


def text_bytes(texts: Iterable[str]) -> int:
    """Upper bound for the bytes of texts inside the gateway's JSON: an escaped character takes six."""
    return sum(len(text.encode()) + _ESCAPED_BYTES * sum(map(text.count, _ESCAPED)) for text in texts)


_BRACKETS: Final = ("<", ">", "\x7f")
_ESCAPED: Final = (*_BRACKETS, '"', "\\", *map(chr, range(32)))
