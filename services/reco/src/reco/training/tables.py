"""Reads the facts for training from the service's tables, in one snapshot and bounded batches, in order of member."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

import psycopg

from eventfold import Connection
from eventfold.postgres.sessions import connect
from eventfold.reading.following import BATCH_ROWS, look
from reco.model.rows import Item
from reco.recommendation.application.pairs import micros
from reco.recommendation.domain.signals import strength
from reco.recommendation.projections import FACTORS, ITEMS, MARKS, PAIRS, PREFERENCES, PREFERRING
from reco.training.facts import MAX_ITEMS, MAX_MEMBERS, MAX_PAIRS, MAX_TAGS, Origin, Position
from reco.training.progress import Progress
from reco.training.refusals import TrainingRefused

MAX_READ_S: Final = 7_200
"""A rebuild cannot replace the tables as long as they are read here."""
_POSITIONS: Final = """SELECT projection, topic, partition, seq FROM fold_position
WHERE projection = ANY(%s) AND NOT closed ORDER BY projection, topic, partition"""
_COUNTS: Final = "SELECT (SELECT count(*) FROM content_item), (SELECT count(*) FROM interaction)"
_ITEMS: Final = (
    "SELECT content_id, creator_id, kind, tags, category, published_at FROM content_item ORDER BY content_id"
)
# Whoever switched personalisation off teaches nothing; whatever is excluded says nothing. The primary key's index gives
# the order, so that nothing is sorted.
_PAIRS: Final = """
SELECT i.member_id, i.content_id, i.first_at, i.last_at, i.weight, i.rating, i.watched_ms, c.duration_ms,
    m.hidden IS NOT NULL, coalesce(m.excluded, false), p.interests
FROM interaction AS i JOIN content_item AS c USING (content_id)
LEFT JOIN content_mark AS m USING (member_id, content_id) LEFT JOIN preference AS p USING (member_id)
WHERE coalesce(p.personalised, true)
ORDER BY i.member_id, i.content_id"""


class PairFact(NamedTuple):
    """A member and a content by number, how much it says for the member's taste, and when the signals were."""

    member: int
    item: int
    strength: float
    first_us: int
    last_us: int


class MemberFact(NamedTuple):
    """A member who chose interests."""

    member: int
    interests: tuple[str, ...]


class Taker(Protocol):
    """Takes what is read: where it comes from, then all items, then pairs and members' interests in batches."""

    def begin(self, origin: Origin) -> None:
        """Comes first."""

    def take_items(self, items: Sequence[Item]) -> None:
        """The next items by number."""

    def take_pairs(self, pairs: Sequence[PairFact], members: Sequence[MemberFact]) -> None:
        """The next pairs, in order of member and content, and the interests of the members among them."""


@dataclass
class Counts:
    """What was read."""

    items: int = 0
    members: int = 0
    pairs: int = 0


async def read(database_url: str, taker: Taker) -> Counts:
    """Hand all facts to `taker`. Raises `TrainingRefused` where the database cannot be read, a bound is passed, or it
    takes longer than two hours."""
    try:
        async with asyncio.timeout(MAX_READ_S), await connect(database_url) as conn, conn.transaction():
            return await _read(conn, taker)
    except TimeoutError as error:
        raise TrainingRefused(f"reading the tables took longer than {MAX_READ_S:,} s") from error
    except psycopg.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise TrainingRefused(f"the tables cannot be read: {reason or type(error).__name__}") from error


async def _read(conn: Connection, taker: Taker) -> Counts:
    mark = await look(conn, (ITEMS, MARKS, PREFERENCES, PAIRS))
    positions = await (await conn.execute(_POSITIONS, [[FACTORS.name, PREFERRING.name]])).fetchall()
    taker.begin(Origin(mark.snapshot, tuple(Position(*one) for one in positions)))
    items, pairs = await (await conn.execute(_COUNTS)).fetchone() or (0, 0)
    for count, most, what in ((items, MAX_ITEMS, "contents"), (pairs, MAX_PAIRS, "pairs")):
        if count > most:
            raise TrainingRefused(f"there are {count:,} {what}, and {most:,} are the most that can be trained on")
    numbers = await _items(conn, taker)
    return await _pairs(conn, taker, _Numbering(numbers), pairs)


async def _items(conn: Connection, taker: Taker) -> Mapping[str, int]:
    numbers: dict[str, int] = {}
    async with conn.cursor(name="items") as cursor:
        await cursor.execute(_ITEMS)
        while rows := await cursor.fetchmany(BATCH_ROWS):
            taker.take_items([_item(*row) for row in rows])
            numbers.update({row[0]: number for number, row in enumerate(rows, start=len(numbers))})
    return numbers


async def _pairs(conn: Connection, taker: Taker, numbering: _Numbering, total: int) -> Counts:
    progress, pairs = Progress("pairs read", total), 0
    async with conn.cursor(name="pairs") as cursor:
        await cursor.execute(_PAIRS)
        while rows := await cursor.fetchmany(BATCH_ROWS):
            members: list[MemberFact] = []
            taker.take_pairs([numbering.pair(row, members) for row in rows], members)
            pairs += len(rows)
            progress.add(len(rows))
    return Counts(len(numbering.items), numbering.members, pairs)


@dataclass
class _Numbering:
    """Members get numbers as they come; their ids are in no file."""

    items: Mapping[str, int]
    members: int = 0
    _last: str | None = field(default=None, repr=False)

    def pair(self, row: Sequence[Any], members: list[MemberFact]) -> PairFact:
        """A row as a fact; a new member's interests go to `members`."""
        member_id, content_id, first_at, last_at, *said, excluded, interests = row
        if member_id != self._last:
            self._last = member_id
            self.members += 1
            if self.members > MAX_MEMBERS:
                raise TrainingRefused(f"there are more than {MAX_MEMBERS:,} members, the most that can be trained on")
            if interests:
                members.append(MemberFact(self.members - 1, tuple(interests[:MAX_TAGS])))
        weighed = 0.0 if excluded else _strength(*said)
        return PairFact(self.members - 1, self.items[content_id], weighed, micros(first_at), micros(last_at))


def _strength(weight: int, rating: int | None, watched_ms: int, duration_ms: int | None, hidden: bool) -> float:
    return strength(weight=weight, rating=rating, watched_ms=watched_ms, duration_ms=duration_ms, hidden=hidden)


def _item(
    content_id: str, creator_id: str, kind: str, tags: list[str], category: str | None, published_at: datetime
) -> Item:
    return Item(content_id, creator_id, kind, tuple(tags[:MAX_TAGS]), category, micros(published_at))
