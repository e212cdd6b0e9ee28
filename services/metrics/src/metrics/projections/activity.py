"""What each member did on each calendar day. Rows are sums, so any order of delivery gives the same rows, and an
imported event counts on the day of its business time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from contracts.events import billing, catalog
from eventfold import Changes, Draft, Key, Projection, PublicRecord, PublicType, ReadTable, Rows
from metrics.domain.windows import day_of


class DayRow(NamedTuple):
    """One member's counts of one calendar day. There is a row only where something counted happened."""

    member_id: str
    day: date
    views: int = 0
    likes: int = 0
    comments: int = 0
    shares: int = 0
    ratings: int = 0
    completions: int = 0
    purchases: int = 0


DAYS: Final = ReadTable("member_day", DayRow, key_columns=2)
NAME: Final = "activity"

COLUMN_OF: Final[Mapping[PublicType[Any], str]] = {
    catalog.INTERACTION_VIEWED: "views",
    catalog.INTERACTION_LIKED: "likes",
    catalog.INTERACTION_COMMENTED: "comments",
    catalog.INTERACTION_SHARED: "shares",
    catalog.INTERACTION_RATED: "ratings",
    catalog.LEARNING_COMPLETED: "completions",
    billing.ORDER_PAID: "purchases",
}
_COLUMN_OF_TYPE: Final = {kind.name: column for kind, column in COLUMN_OF.items()}


def built_under(zone: ZoneInfo) -> Mapping[str, str]:
    """The settings that decide what is in the rows."""
    return {"METRICS_ZONE": zone.key}


def activity(zone: ZoneInfo) -> Projection:
    """The projection for days of `zone`."""

    def keys(events: Sequence[PublicRecord]) -> Mapping[str, list[Key]]:
        return {DAYS.name: [_key(event, zone) for event in events]}

    def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        draft = Draft(rows)
        for event in events:
            key = _key(event, zone)
            draft.put(DAYS, _counted(draft.get(DAYS, key) or DayRow(*key), _COLUMN_OF_TYPE[event.type]))
        return draft.changes()

    return Projection(NAME, tuple(COLUMN_OF), (DAYS,), keys, fold, built_under=built_under(zone))


def _key(event: PublicRecord, zone: ZoneInfo) -> tuple[str, date]:
    data = event.data
    return data["member_id"], day_of(data["paid_at"] if event.of(billing.ORDER_PAID) else data["occurred_at"], zone)


def _counted(row: DayRow, column: str) -> DayRow:
    return row._replace(**{column: getattr(row, column) + 1})
