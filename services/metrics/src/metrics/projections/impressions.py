"""Which content each member was shown among recommendations, one row for each place of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import reco
from eventfold import Changes, Key, Projection, PublicRecord, ReadTable, Rows


class ShownRow(NamedTuple):
    """One content in one answer; `place` counts from 1, best first."""

    member_id: str
    content_id: str
    answer_id: str
    slot: str
    method: str
    place: int
    shown_at: datetime


SHOWN: Final = ReadTable("shown_content", ShownRow, key_columns=3, swept_by="shown_at")


def _keys(events: Sequence[PublicRecord]) -> Mapping[str, list[Key]]:
    return {SHOWN.name: []}  # no row is read: an answer is shown once


def _fold(rows: Rows, events: Sequence[PublicRecord[reco.ImpressionShown]]) -> Changes:
    shown = [row for event in events for row in _rows(event.data)]
    return {SHOWN.name: {SHOWN.key(row): row for row in shown}}


def _rows(data: reco.ImpressionShown) -> list[ShownRow]:
    """A content that stands twice in an answer counts at its better place."""
    places = {item["content_id"]: place for place, item in reversed([*enumerate(data["items"], start=1)])}
    return [
        ShownRow(
            member_id=data["member_id"],
            content_id=content_id,
            answer_id=data["answer_id"],
            slot=data["slot"],
            method=data["method"],
            place=place,
            shown_at=data["occurred_at"],
        )
        for content_id, place in places.items()
    ]


IMPRESSIONS: Final = Projection("impressions", (reco.IMPRESSION_SHOWN,), (SHOWN,), _keys, _fold, partition_local=True)
