"""Records as a consumer delivers them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from eventfold.vocabulary.decider import event_id


@dataclass
class Delivered:
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = field(default_factory=list)


def record(offset: int, seq: int, shelf: str, title: str, previous: int | None = None) -> Delivered:
    headers = {
        "ce_id": str(event_id(shelf, seq)),
        "ce_type": "test.library.shelf.filled.v1",
        "ce_sequence": str(seq),
        "ce_time": "2026-03-01T12:00:00.000000Z",
        "ce_subject": shelf,
        "ce_aggregateversion": str(seq),
    }
    if previous is not None:
        headers["ce_previoussequence"] = str(previous)
    value = json.dumps({"shelf": shelf, "title": title}).encode()
    return Delivered(offset, shelf.encode(), value, [(name, text.encode()) for name, text in headers.items()])
