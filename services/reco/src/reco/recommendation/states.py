"""What the model has learned, kept in PostgreSQL: written by the process that learns, read by all that serve.

It is no fact: lost, it is learned again from the tables.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from eventfold import Pool
from reco.model.model import Model
from reco.model.state import MAX_BYTES, StateRefused, version_of
from reco.training.publication import newest
from reco.training.serving import Serving

_NAME: Final = "model"
_VERSION: Final = "SELECT version, octet_length(body) FROM learned_state WHERE name = %s"
_LOAD: Final = "SELECT version, body FROM learned_state WHERE name = %s"
_SAVE: Final = """INSERT INTO learned_state (name, version, body) VALUES (%(name)s, %(version)s, %(body)s)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body, saved_at = now()"""
UNLEARNED: Final = "blend"
"""The version of a model that has learned nothing yet."""


class TrainedElsewhere:
    """Takes up the vectors that another process trained and published. `version` is that of those in use."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.version = ""

    async def load(self, model: Model) -> bool:
        """Let the model use the newest vectors; False if it does, or there are none. Raises `FactorsRefused`, and then
        nothing has changed."""
        async with self._pool.connection() as conn:
            found = await newest(conn, self.version)
        if found is None:
            return False
        self.version, trained = found
        model.give(Serving(trained))
        return True


def version_of_both(states: States, trained: TrainedElsewhere) -> str:
    """What names the model that answers: `LEARNED`, or `LEARNED+TRAINED` where it uses vectors that were trained apart.
    Answers of one name rest on the same nets and vectors."""
    return f"{states.version}+{trained.version}" if trained.version else states.version


class State(NamedTuple):
    """What was learned, as `Model.to_bytes` gave it; `version` follows from the bytes."""

    version: str
    body: bytes


class States:
    """Saves and loads what is learned. `version` is that of the model of this process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.version = UNLEARNED

    async def save(self, model: Model) -> None:
        """Keep what the model has learned. Raises `StateRefused` where it holds numbers that are none, and keeps what
        was there."""
        body = model.to_bytes()
        version = version_of(body)
        if version != self.version:
            async with self._pool.connection() as conn:
                await conn.execute(_SAVE, {"name": _NAME, "version": version, "body": body})
            self.version = version

    async def newest(self) -> State | None:
        """The newest state; None if it is that of this process, or there is none. Raises `StateRefused` for one of more
        bytes than a state may have."""
        async with self._pool.connection() as conn:
            found = await (await conn.execute(_VERSION, [_NAME])).fetchone()
            if found is None or found[0] == self.version:
                return None
            if found[1] > MAX_BYTES:
                raise StateRefused(f"the state is {found[1]:,} bytes, and {MAX_BYTES:,} are the most")
            row = await (await conn.execute(_LOAD, [_NAME])).fetchone()
        return State(str(row[0]), bytes(row[1])) if row else None

    async def load(self, model: Model) -> bool:
        """Let the model go on from the newest state; False if there is no newer one. Raises `StateRefused` for one that
        does not fit, as that of another build, and changes nothing. The model's rows must have been taken before."""
        if (found := await self.newest()) is None:
            return False
        model.from_bytes(found.body)
        self.version = found.version
        return True
