"""Histories of a store: what happened to it when it was restored to an earlier point, told by a random nonce.

A store that was restored, or whose replica was behind when it was promoted, knows nothing of events that are on its
topics already, and would give their numbers and ids a second time. `recover` begins another history then: numbers go on
above all that were ever given, ids are made with the nonce, and every record carries it. A counter would not do: a
store that was restored to before its counter grew would count to the same number again.
"""

from __future__ import annotations

import bisect
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eventfold.postgres.sessions import Connection
from eventfold.write.rows import LAST_SEQ

NUMBERS_LEFT_OUT = 1_000_000
"""Between two histories: of what was lost in store and topics both, nobody knows how far its numbers went."""

_LOAD = "SELECT number, nonce, first_seq, kept_seq, kept_position FROM history ORDER BY number"
_BEGIN = "INSERT INTO history VALUES (%s, %s, %s, %s, %s, clock_timestamp())"


@dataclass(frozen=True, slots=True)
class History:
    """One history: it numbers from `first_seq`, and of the ones before keeps what has numbers up to `kept_seq` (the
    events at positions up to `kept_position`)."""

    number: int
    nonce: str
    first_seq: int
    kept_seq: int = 0
    kept_position: int = 0

    @property
    def mark(self) -> str:
        """Enough of the nonce to tell the store's own histories apart, for tokens."""
        return self.nonce[:8]

    @property
    def salt(self) -> str:
        """What ids of its events are made with besides their place. The first has none."""
        return self.nonce if self.number > 1 else ""


Histories = Sequence[History]
"""All of a store, oldest first; never empty."""


async def load(conn: Connection) -> Histories:
    """The histories of the store."""
    return [History(*row) for row in await (await conn.execute(_LOAD)).fetchall()]


async def last_seq(conn: Connection) -> int:
    """The highest number that was given, or left out."""
    row = await (await conn.execute(f"SELECT {LAST_SEQ}")).fetchone()
    return int(row[0]) if row else 0


async def begin(conn: Connection, known: Histories, first_seq: int, kept_seq: int, kept_position: int) -> History:
    """Record the next history, in the caller's transaction."""
    made = History(
        number=known[-1].number + 1,
        nonce=uuid.uuid4().hex,
        first_seq=first_seq,
        kept_seq=kept_seq,
        kept_position=kept_position,
    )
    await conn.execute(_BEGIN, [made.number, made.nonce, made.first_seq, made.kept_seq, made.kept_position])
    return made


def of_seq(histories: Histories, seq: int) -> History:
    """The history in which a number was given."""
    return histories[max(0, bisect.bisect_right([one.first_seq for one in histories], seq) - 1)]


def kept_seq(histories: Histories, nonce: str | None) -> int | None:
    """Up to which number that what was read under `nonce` still holds; None: all of it.

    Nothing (0) holds of a history that is not known. Without a nonce it was read before there were any: in the first.
    """
    at = next((n for n, one in enumerate(histories) if one.nonce == nonce), 0 if nonce is None else len(histories))
    if at == len(histories):
        return 0
    return min((one.kept_seq for one in histories[at + 1 :]), default=None)


def holds_position(histories: Histories, mark: str, position: int) -> bool:
    """Whether the event that stood at a position when the store was in the history of this `mark` still does."""
    at = next((n for n, one in enumerate(histories) if one.mark == mark), None)
    return at is not None and position <= min((one.kept_position for one in histories[at + 1 :]), default=position)


def as_json(histories: Histories) -> list[dict[str, Any]]:
    """What `of_json` reads: control records of topics carry it."""
    return [asdict(one) for one in histories]


def of_json(data: Sequence[Mapping[str, Any]]) -> Histories:
    """Inverse of `as_json`."""
    return [History(**one) for one in data]
