"""The secrets that sign deliveries: sealed under their member's key, in a table of their own, and in no event."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from eventfold import DataKey, Pool, Sealed, SubjectKeys
from eventfold.errors import Contention, DomainError, IdempotencyMismatch

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Fresh:
    """A secret that was just made. `shown` is its text for the receiver."""

    secret_id: str
    shown: str

    def __repr__(self) -> str:
        return f"Fresh({self.secret_id!r}, …)"


def made(secret_id: str) -> Fresh:
    """A new secret."""
    return Fresh(secret_id, PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode())


class Secrets:
    """The table of secrets."""

    def __init__(self, pool: Pool, keys: SubjectKeys) -> None:
        self._pool = pool
        self._keys = keys

    @contextlib.asynccontextmanager
    async def kept(self, endpoint_id: str, member_id: str, fresh: Fresh) -> AsyncIterator[None]:
        """Keep the secret before the event that names it is recorded; forget it if nothing was recorded for sure. Who
        dies in between, or never learns, may leave a row that no event names: it signs nothing and is swept."""
        async with self._pool.connection() as conn:
            key = (await self._keys.ensure(conn, [member_id]))[member_id]
            box = key.seal(_field(fresh.secret_id), fresh.shown).box
            await conn.execute(
                """INSERT INTO endpoint_secret (endpoint_id, secret_id, member_id, box, created_at)
                   VALUES (%s, %s, %s, %s, clock_timestamp())""",
                [endpoint_id, fresh.secret_id, member_id, box],
            )
        try:
            yield
        except (DomainError, Contention, IdempotencyMismatch):
            await self.forget(endpoint_id, [fresh.secret_id])
            raise

    async def forget(self, endpoint_id: str, secret_ids: Sequence[str]) -> None:
        """Delete secrets for ever; those that are not there are none."""
        async with self._pool.connection() as conn:
            await conn.execute(
                "DELETE FROM endpoint_secret WHERE endpoint_id = %s AND secret_id = ANY(%s)",
                [endpoint_id, [*secret_ids]],
            )


def opened(key: DataKey, member_id: str, secret_id: str, box: str) -> str:
    """A secret as shown, from its row. Raises `cryptography.exceptions.InvalidTag` if it was altered or moved."""
    return key.open(Sealed(member_id, _field(secret_id), box))


def _field(secret_id: str) -> str:
    return f"webhook_secret/{secret_id}"
