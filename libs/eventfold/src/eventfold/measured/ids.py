"""The text of an event's id. It is computed for each record sent."""

from __future__ import annotations

import hashlib

from eventfold.vocabulary.decider import EVENT_ID_NAMESPACE, event_id

_HASHED_NAMESPACE = hashlib.sha1(EVENT_ID_NAMESPACE.bytes, usedforsecurity=False)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def event_id_text(stream: str, version: int, salt: str = "") -> str:
    """`plain_event_id_text`, without the objects that `uuid.uuid5` makes on the way (RFC 9562, UUID version 5)."""
    hashed = _HASHED_NAMESPACE.copy()
    hashed.update(f"{salt}/{stream}/{version}".encode() if salt else f"{stream}/{version}".encode())
    text = hashed.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def plain_event_id_text(stream: str, version: int, salt: str = "") -> str:
    """The text of `event_id`."""
    return str(event_id(stream, version, salt))
