"""What each member did on each calendar day. Rows are sums, so any order of delivery gives the same rows, and an
imported event counts on the day of its business time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from contracts.events import billing, catalog
from eventfold import Changes, Draft, Key, Projection, PublicRecord, PublicType, ReadTable, Rows
from eventfold.errors import FoldHalts
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


class ZoneRow(NamedTuple):
    """The zone of the calendar days: one row."""

    name: str
    zone: str


DAYS: Final = ReadTable("member_day", DayRow, key_columns=2)
ZONE: Final = ReadTable("day_zone", ZoneRow)
ZONE_KEY: Final = ("days",)

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


class ZoneChanged(FoldHalts):
    """Days were counted in another zone: rebuild the projection, or set the zone back."""

    def __init__(self, counted_in: str, set_to: str) -> None:
        super().__init__(f"days were counted in {counted_in}, METRICS_ZONE says {set_to}: rebuild or set it back")
        self.counted_in = counted_in
        self.set_to = set_to


def activity(zone: ZoneInfo) -> Projection:
    """The projection for days of `zone`. Its fold raises `ZoneChanged` for rows that were counted in another zone."""

    def keys(events: Sequence[PublicRecord]) -> Mapping[str, list[Key]]:
        return {DAYS.name: [_key(event, zone) for event in events], ZONE.name: [ZONE_KEY]}

    def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        draft = Draft(rows)
        _keep_zone(draft, zone.key)
        for event in events:
            key = _key(event, zone)
            draft.put(DAYS, _counted(draft.get(DAYS, key) or DayRow(*key), _COLUMN_OF_TYPE[event.type]))
        return draft.changes()

    return Projection(name="activity", on=tuple(COLUMN_OF), tables=(DAYS, ZONE), keys=keys, fold=fold)


def _key(event: PublicRecord, zone: ZoneInfo) -> tuple[str, date]:
    data = event.data
    return data["member_id"], day_of(data["paid_at"] if event.of(billing.ORDER_PAID) else data["occurred_at"], zone)


def _counted(row: DayRow, column: str) -> DayRow:
    return row._replace(**{column: getattr(row, column) + 1})


def _keep_zone(draft: Draft, zone: str) -> None:
    kept = draft.get(ZONE, ZONE_KEY)
    if kept is None:
        draft.put(ZONE, ZoneRow(*ZONE_KEY, zone))
    elif kept.zone != zone:
        raise ZoneChanged(kept.zone, zone)
