"""The consumer's own store: what it made of the events, and how far it has read, changed in one transaction.

Here it is a file of SQLite. What matters is that effect and position are committed together: then no crash can come
between the two, and the broker's committed offsets are not needed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS reading (topic TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS position (
  name TEXT, partition INTEGER, next_offset INTEGER NOT NULL, seq INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (name, partition)
);
CREATE TABLE IF NOT EXISTS event (
  id TEXT PRIMARY KEY, topic TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, occurred_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS charge (event_id TEXT PRIMARY KEY, currency TEXT NOT NULL, amount_minor INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition is read: the next offset, and the highest `ce_sequence` that was applied."""

    next_offset: int
    seq: int
    closed: bool = False


class Store:
    """Opened at a path; made there when it is not."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is written inside, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def reading(self) -> Mapping[str, str]:
        """The generation that is read, by topic."""
        return dict(self._db.execute("SELECT topic, name FROM reading"))

    def positions(self, name: str) -> Mapping[int, Position]:
        """The positions on a generation, by partition."""
        rows = self._db.execute("SELECT partition, next_offset, seq, closed FROM position WHERE name = ?", [name])
        return {partition: Position(offset, seq, bool(closed)) for partition, offset, seq, closed in rows}

    def move(self, name: str, partition: int, to: Position) -> None:
        """Have read up to there."""
        row = [name, partition, to.next_offset, to.seq, to.closed]
        self._db.execute("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)", row)

    def read(self, topic: str, name: str, positions: Mapping[int, Position]) -> None:
        """Read this generation of the topic from now on."""
        self._db.execute("INSERT OR REPLACE INTO reading VALUES (?, ?)", [topic, name])
        for partition, position in positions.items():
            self.move(name, partition, position)

    def add(self, topic: str, seq: int, headers: Mapping[str, str], data: Mapping[str, Any]) -> None:
        """What this example makes of an event: it counts, and adds up what was charged."""
        event = [headers["ce_id"], topic, seq, headers["ce_type"], headers["ce_time"]]
        self._db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", event)
        if headers["ce_type"] == "lyceum.billing.order.paid.v1":
            charged = data["charged"]
            row = [headers["ce_id"], charged["currency"], charged["amount_minor"]]
            self._db.execute("INSERT INTO charge VALUES (?, ?, ?)", row)

    def forget_above(self, topic: str, seq: int) -> None:
        """Undo what was made of events of the topic above a number: they never happened."""
        undone = "SELECT id FROM event WHERE topic = ? AND seq > ?"
        self._db.execute(f"DELETE FROM charge WHERE event_id IN ({undone})", [topic, seq])  # noqa: S608 - a constant
        self._db.execute("DELETE FROM event WHERE topic = ? AND seq > ?", [topic, seq])

    def counts(self) -> dict[str, int]:
        """Events by type."""
        return dict(self._db.execute("SELECT type, count(*) FROM event GROUP BY type ORDER BY type"))

    def charged(self) -> dict[str, int]:
        """Sum of what was charged, minor units, by currency."""
        return dict(
            self._db.execute("SELECT currency, sum(amount_minor) FROM charge GROUP BY currency ORDER BY currency")
        )
