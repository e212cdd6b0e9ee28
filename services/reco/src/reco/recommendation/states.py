"""What the ranker has learned, kept in PostgreSQL: written by the process that learns, read by all that serve.

It is no fact: lost, it is learned again from the tables.
"""

from __future__ import annotations

import hashlib
from typing import Final

from eventfold import Pool
from reco.model.model import Model

_NAME: Final = "ranker"
_VERSION: Final = "SELECT version FROM learned_state WHERE name = %s"
_LOAD: Final = "SELECT version, body FROM learned_state WHERE name = %s"
_SAVE: Final = """INSERT INTO learned_state (name, version, body) VALUES (%(name)s, %(version)s, %(body)s)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body, saved_at = now()"""
UNLEARNED: Final = "blend"
"""The version of a ranker that has learned nothing yet."""
VERSION_CHARS: Final = 12


class States:
    """Saves and loads the ranker's state. `version` is that of the ranker of this process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.version = UNLEARNED

    async def save(self, model: Model) -> None:
        """Keep what the model's ranker has learned."""
        body = model.ranker.to_bytes()
        version = hashlib.sha256(body).hexdigest()[:VERSION_CHARS]
        if version != self.version:
            async with self._pool.connection() as conn:
                await conn.execute(_SAVE, {"name": _NAME, "version": version, "body": body})
            self.version = version

    async def load(self, model: Model) -> bool:
        """Let the model's ranker go on from the newest state; False if it has it, or there is none. Raises
        `StateRefused` for one that does not fit, as that of another build, and changes nothing."""
        async with self._pool.connection() as conn:
            found = await (await conn.execute(_VERSION, [_NAME])).fetchone()
            if found is None or found[0] == self.version:
                return False
            row = await (await conn.execute(_LOAD, [_NAME])).fetchone()
        if row is None:
            return False
        model.ranker.from_bytes(bytes(row[1]))
        self.version = str(row[0])
        return True
