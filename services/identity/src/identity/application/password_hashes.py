"""Password hashes: sealed in the events under the member's key, opened only to verify a password or renew its hash."""

from __future__ import annotations

from eventfold import DataKey, Pool, Sealed, SubjectKeys
from eventfold.errors import KeyDestroyed
from identity.domain.member import Member

FIELD = "password_hash"
NOBODY = "nobody"
"""Stand-in subject if there is no account. Member ids are UUIDs, so none equals it."""


class PasswordHashes:
    """Seals and opens password hashes. A missing hash takes as long as an existing one, so that the time taken reveals
    nothing."""

    def __init__(self, pool: Pool, keys: SubjectKeys) -> None:
        self._pool = pool
        self._keys = keys
        self._decoy: Sealed | None = None

    async def seal(self, member_id: str, encoded: str) -> Sealed:
        """The hash as events store it; `NOBODY` has a key too. Raises `NotFound` or `KeyDestroyed`."""
        await self._prepare()
        return (await self._key(member_id)).seal(FIELD, encoded)

    async def open(self, member: Member | None) -> str | None:
        """The member's hash; None, after the same work, for a missing, unclaimed or erased account."""
        decoy = await self._prepare()
        sealed = member.password_hash if member else None
        try:
            encoded = await self._opened(sealed or decoy)
        except KeyDestroyed:
            await self._opened(decoy)
            return None
        return encoded if sealed else None

    async def _opened(self, sealed: Sealed) -> str:
        return (await self._key(sealed.subject_id)).open(sealed)

    async def _key(self, subject_id: str) -> DataKey:
        async with self._pool.connection() as conn:
            return (await self._keys.get(conn, [subject_id]))[subject_id]

    async def _prepare(self) -> Sealed:
        """The sealed hash of `NOBODY`. It is made before the first answer of either kind, so that neither is slower."""
        if self._decoy is None:
            async with self._pool.connection() as conn:
                key = (await self._keys.ensure(conn, [NOBODY]))[NOBODY]
            self._decoy = key.seal(FIELD, "nobody has a password")
        return self._decoy
