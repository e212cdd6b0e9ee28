"""What each member did on each calendar day, in all and with each content; and which past days were restated.

Rows are sums, first and last instants, so any order of delivery gives the same rows, and an imported event counts on
the day of its business time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from contracts.events import billing, catalog
from eventfold import Changes, Key, Projection, PublicRecord, PublicType, ReadTable, Rows
from metrics.domain.windows import DAY, day_of, midnight


class DayRow(NamedTuple):
    """One member's counts of one calendar day. There is a row only where something counted happened.

    `first_at`, `last_at`: instants of the first and last counted event in the first 24 hours of the day;
    `long_first_at`, `long_last_at`: of those after them, on a day that is longer. So the instants of each pair lie less
    than 24 hours apart.
    """

    member_id: str
    day: date
    views: int
    likes: int
    comments: int
    shares: int
    ratings: int
    completions: int
    purchases: int
    first_at: datetime | None
    last_at: datetime | None
    long_first_at: datetime | None
    long_last_at: datetime | None


class ContentDayRow(NamedTuple):
    """The same of one member with one content, and `watched_ms` of all views. Products that are no content have rows,
    too: their purchases."""

    content_id: str
    day: date
    member_id: str
    views: int
    likes: int
    comments: int
    shares: int
    ratings: int
    completions: int
    purchases: int
    first_at: datetime | None
    last_at: datetime | None
    long_first_at: datetime | None
    long_last_at: datetime | None
    watched_ms: int


class RestatedRow(NamedTuple):
    """Counted events of a day that were recorded on a later one, `seen_on`. `reason`: `import` or `late`."""

    day: date
    seen_on: date
    reason: str
    interactions: int
    purchases: int
    first_recorded_at: datetime
    last_recorded_at: datetime


DAYS: Final = ReadTable("member_day", DayRow, key_columns=2)
CONTENT_DAYS: Final = ReadTable("member_content_day", ContentDayRow, key_columns=3)
RESTATED: Final = ReadTable("restated_day", RestatedRow, key_columns=3)
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
COUNTS: Final = tuple(COLUMN_OF.values())
_PLACE: Final = {kind.name: COUNTS.index(column) for kind, column in COLUMN_OF.items()}
_PURCHASE, _VIEW = COUNTS.index("purchases"), COUNTS.index("views")
_NOTHING: Final = [0] * len(COUNTS) + [None] * 4
_INSTANTS: Final = len(COUNTS)


class Seen(NamedTuple):
    """What a counted event says: `place` is that of its column among the counts."""

    member_id: str
    content_id: str
    place: int
    at: datetime
    day: date
    recorded_at: datetime
    recorded_on: date
    backfill: bool
    watched_ms: int


def built_under(zone: ZoneInfo) -> Mapping[str, str]:
    """The settings that decide what is in the rows."""
    return {"METRICS_ZONE": zone.key}


def activity(zone: ZoneInfo) -> Projection:
    """The projection for days of `zone`."""

    def keys(events: Sequence[PublicRecord]) -> Mapping[str, list[Key]]:
        seen = [_seen(event, zone) for event in events]
        return {
            DAYS.name: [(one.member_id, one.day) for one in seen],
            CONTENT_DAYS.name: [(one.content_id, one.day, one.member_id) for one in seen],
            RESTATED.name: [_restated_key(one) for one in seen if one.recorded_on > one.day],
        }

    def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        days, contents, restated = (_Sheet(table, rows) for table in (DAYS, CONTENT_DAYS, RESTATED))
        for one in (_seen(event, zone) for event in events):
            late = 2 if one.at - midnight(one.day, zone) >= DAY else 0
            _count(days.values((one.member_id, one.day), _NOTHING), one, late)
            _count_content(contents.values((one.content_id, one.day, one.member_id), [*_NOTHING, 0]), one, late)
            if one.recorded_on > one.day:
                _restate(restated.values(_restated_key(one), [0, 0, one.recorded_at, one.recorded_at]), one)
        return dict(sheet.changes() for sheet in (days, contents, restated))

    tables = (DAYS, CONTENT_DAYS, RESTATED)
    return Projection(NAME, tuple(COLUMN_OF), tables, keys, fold, built_under=built_under(zone))


class _Sheet:
    """Rows that change, as lists of the values after the key: a day has many events."""

    def __init__(self, table: ReadTable[Any], rows: Rows) -> None:
        self._table = table
        self._rows = rows[table.name]
        self._changed: dict[Key, list[Any]] = {}

    def values(self, key: Key, new: Sequence[Any]) -> list[Any]:
        found = self._changed.get(key)
        if found is None:
            row = self._rows.get(key)
            found = self._changed[key] = list(new if row is None else row[len(key) :])
        return found

    def changes(self) -> tuple[str, Mapping[Key, Any]]:
        make = self._table.row_class._make
        return self._table.name, {key: make((*key, *values)) for key, values in self._changed.items()}


def _seen(event: PublicRecord, zone: ZoneInfo) -> Seen:
    data, place = event.data, _PLACE[event.type]
    paid = place == _PURCHASE
    at = data["paid_at"] if paid else data["occurred_at"]
    day = day_of(at, zone)
    recorded_at = event.recorded_at if event.recorded_later else at
    return Seen(
        member_id=data["member_id"],
        content_id=data["product_id"] if paid else data["content_id"],
        place=place,
        at=at,
        day=day,
        recorded_at=recorded_at,
        recorded_on=day_of(recorded_at, zone) if recorded_at > at else day,
        backfill=event.backfill,
        watched_ms=data["watched_ms"] if place == _VIEW else 0,
    )


def _restated_key(one: Seen) -> Key:
    return one.day, one.recorded_on, "import" if one.backfill else "late"


def _count(values: list[Any], one: Seen, late: int) -> None:
    values[one.place] += 1
    first, last = _INSTANTS + late, _INSTANTS + late + 1
    values[first] = one.at if values[first] is None else min(values[first], one.at)
    values[last] = one.at if values[last] is None else max(values[last], one.at)


def _count_content(values: list[Any], one: Seen, late: int) -> None:
    _count(values, one, late)
    values[-1] += one.watched_ms


def _restate(values: list[Any], one: Seen) -> None:
    values[1 if one.place == _PURCHASE else 0] += 1
    values[2], values[3] = min(values[2], one.recorded_at), max(values[3], one.recorded_at)
