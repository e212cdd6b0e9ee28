"""The book's storage: one SQLite file. A write is on disk when it returns; a kill at any point leaves the file
intact."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "book.sqlite"
LOCK_WAIT_S = 10.0
"""How long a starting process waits until the previous process has released the file."""

_OPEN = """PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS payment (
  merchant_number TEXT PRIMARY KEY, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, callback_url TEXT NOT NULL,
  faults TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;"""

_WRITE = """INSERT INTO payment (merchant_number, amount_minor, currency, callback_url, faults, status, reason)
VALUES (:merchant_number, :amount_minor, :currency, :callback_url, :faults, :status, :reason)
ON CONFLICT (merchant_number) DO UPDATE
SET faults = excluded.faults, status = excluded.status, reason = excluded.reason"""


class Pages:
    """The payments of one file. For one thread; every method blocks, a write until the disk has it."""

    def __init__(self, folder: Path) -> None:
        """Opens the file in `folder`, and creates it if it is missing; only its owner can read it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600))
        self._file = sqlite3.connect(folder / FILE, timeout=LOCK_WAIT_S, isolation_level=None)
        self._file.row_factory = sqlite3.Row
        self._file.executescript(_OPEN)
        self._count = int(self._file.execute("SELECT count(*) FROM payment").fetchone()[0])

    def count(self) -> int:
        """Number of payments."""
        return self._count

    def read(self, merchant_number: str) -> dict[str, Any] | None:
        """The fields of a payment, None if there is none of that number."""
        row = self._file.execute("SELECT * FROM payment WHERE merchant_number = ?", [merchant_number]).fetchone()
        return None if row is None else {**dict(row), "faults": json.loads(row["faults"])}

    def write(self, payment: Mapping[str, Any]) -> None:
        """Store a payment, replacing one of the same number."""
        new = self.read(payment["merchant_number"]) is None
        self._file.execute(_WRITE, {**payment, "faults": json.dumps(payment["faults"])})
        self._count += new

    def sums(self) -> list[tuple[str, str, int, int]]:
        """Status, currency, number of payments and sum of amounts. Reads all payments."""
        asked = "SELECT status, currency, count(*), sum(amount_minor) FROM payment GROUP BY 1, 2 ORDER BY 1, 2"
        return [(*row,) for row in self._file.execute(asked)]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
