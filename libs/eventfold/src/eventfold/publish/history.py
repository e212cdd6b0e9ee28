"""Histories of a store: each restore to an earlier point begins a new one, which is named by a random nonce.

After a restore, or after the promotion of a replica that was behind, a store does not know the latest events on its
topics. It would give their numbers and ids a second time. So `recover` begins another history: numbers go on above all
that were ever given, ids are made with the nonce, and every record carries the nonce. A counter would not be enough: a
store restored to a point before the counter grew would count to the same number again.
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
"""Gap in the numbers between two histories. Events may be lost in the store and on the topics, and then nobody knows
how high their numbers went."""

_LOAD = "SELECT number, nonce, first_seq, kept_seq, kept_position FROM history ORDER BY number"
_BEGIN = "INSERT INTO history VALUES (%s, %s, %s, %s, %s, clock_timestamp())"


@dataclass(frozen=True, slots=True)
class History:
    """One history. Its numbers begin at `first_seq`. Of the earlier histories it keeps the numbers up to `kept_seq`,
    which are the events at positions up to `kept_position`."""

    number: int
    nonce: str
    first_seq: int
    kept_seq: int = 0
    kept_position: int = 0

    @property
    def mark(self) -> str:
        """The first digits of the nonce, for tokens: enough to tell the store's own histories apart."""
        return self.nonce[:8]

    @property
    def salt(self) -> str:
        """The part of its event ids that tells histories apart. Empty for the first history."""
        return self.nonce if self.number > 1 else ""


Histories = Sequence[History]
"""All histories of a store, oldest first; never empty."""


async def load(conn: Connection) -> Histories:
    """The histories of the store."""
    return [History(*row) for row in await (await conn.execute(_LOAD)).fetchall()]


async def last_seq(conn: Connection) -> int:
    """The highest number that was given or left out."""
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
    """The highest number read under `nonce` that still holds; None if all of them hold.

    Returns 0 (none holds) for an unknown history. Events without a nonce were read before histories existed, so they
    belong to the first.
    """
    at = next((n for n, one in enumerate(histories) if one.nonce == nonce), 0 if nonce is None else len(histories))
    if at == len(histories):
        return 0
    return min((one.kept_seq for one in histories[at + 1 :]), default=None)


def holds_position(histories: Histories, mark: str, position: int) -> bool:
    """Whether the event at a position, when the store was in the history of this `mark`, is still at that position."""
    at = next((n for n, one in enumerate(histories) if one.mark == mark), None)
    return at is not None and position <= min((one.kept_position for one in histories[at + 1 :]), default=position)


def as_json(histories: Histories) -> list[dict[str, Any]]:
    """The form that `of_json` reads: control records of topics carry it."""
    return [asdict(one) for one in histories]


def of_json(data: Sequence[Mapping[str, Any]]) -> Histories:
    """Inverse of `as_json`."""
    return [History(**one) for one in data]
