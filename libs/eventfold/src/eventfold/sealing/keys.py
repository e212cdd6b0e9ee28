"""Sealed fields: personal data inside events, readable only while its subject's key exists.

Each subject has an AES-256-GCM data key, wrapped by the service's RSA key-encryption key (OAEP, SHA-256). The subject
and field names are authenticated with the ciphertext, so that it cannot be moved to another place. Destroying the key
makes every copy of the field unreadable at once: in events, snapshots, backups and exports (backups of the key table
itself must expire).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.errors import LockNotAvailable
from psycopg.pq import TransactionStatus

from eventfold.errors import KeyDestroyed, NotFound
from eventfold.postgres.sessions import Connection

NONCE_BYTES = 12
KEY_BYTES = 32
KEPT_KEYS, KEPT_FOR_S = 1000, 300.0
"""Number of unwrapped keys that a process keeps, and for how long: unwrapping one with a 3072-bit key takes a
millisecond."""
MAKE_TRIES = 50
"""How often to try to make a key that another process is making, on a connection that does not wait long for locks."""
RandomBytes = Callable[[int], bytes]

_INSERT_NEW = """INSERT INTO subject_key (subject_id, wrapped, kek_id, created_at)
SELECT subject_id, wrapped, %s, clock_timestamp() FROM unnest(%s::text[], %s::bytea[])
AS t(subject_id, wrapped) ON CONFLICT DO NOTHING RETURNING subject_id"""
_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A personal field as stored: base64 of nonce and ciphertext, with the subject whose key opens it."""

    subject_id: str
    field: str
    box: str


class KeyEncryptionKey:
    """The service's RSA key pair that wraps data keys. `id` is a fingerprint of the public key."""

    def __init__(self, private_key: rsa.RSAPrivateKey) -> None:
        self._private = private_key
        self._public = private_key.public_key()
        der = self._public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(der).hexdigest()[:16]

    @staticmethod
    def from_pem(pem: bytes) -> KeyEncryptionKey:
        """Read an unencrypted RSA key in PKCS#8 or PKCS#1. Raises ValueError for any other."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except TypeError as encrypted:
            raise ValueError("the key-encryption key must not be under a password") from encrypted
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("the key-encryption key must be an RSA private key")
        return KeyEncryptionKey(key)

    def wrap(self, key: bytes) -> bytes:
        """Encrypt a data key under the public key."""
        return self._public.encrypt(key, _OAEP)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt a wrapped data key. Raises ValueError if another key wrapped it."""
        return self._private.decrypt(wrapped, _OAEP)


class KeyEncryptionKeys(KeyEncryptionKey):
    """Several key-encryption keys. The first one wraps, all of them unwrap: so a key can be replaced while data is
    still under it.

    `load` returns their PEMs, the current one first; the result may change between calls. `reload` makes it read them
    anew.
    """

    def __init__(self, load: Callable[[], Sequence[bytes]], reload: Callable[[], None]) -> None:
        self._load = load
        self._reload = reload
        self._parsed: dict[bytes, KeyEncryptionKey] = {}
        self._keys()

    @property
    def id(self) -> str:  # type: ignore[override]
        """The id of the key that wraps at present."""
        return self._keys()[0].id

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys that unwrap."""
        return frozenset(key.id for key in self._keys())

    def wrap(self, key: bytes) -> bytes:
        """Encrypt a data key under the current public key."""
        return self._keys()[0].wrap(key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt a wrapped data key. Raises ValueError if none of the keys wrapped it."""
        found = self._unwrapped(wrapped)
        if found is None:
            self._reload()  # another process may already wrap under a new key
            found = self._unwrapped(wrapped)
        if found is None:
            raise ValueError("no key-encryption key that is here opens this")
        return found

    def rewrapped(self, wrapped: bytes) -> bytes | None:
        """The same data key under the current key; None if none of the keys opens it."""
        found = self._unwrapped(wrapped)
        return None if found is None else self.wrap(found)

    def _unwrapped(self, wrapped: bytes) -> bytes | None:
        for key in self._keys():
            with contextlib.suppress(ValueError):
                return key.unwrap(wrapped)
        return None

    def _keys(self) -> list[KeyEncryptionKey]:
        pems = self._load()
        self._parsed = {pem: self._parsed.get(pem) or KeyEncryptionKey.from_pem(pem) for pem in pems}
        return list(self._parsed.values())


class DataKey:
    """One subject's key, in memory for as long as a request needs it."""

    def __init__(self, subject_id: str, key: bytes, random_bytes: RandomBytes) -> None:
        self._subject_id = subject_id
        self._aead = AESGCM(key)
        self._random_bytes = random_bytes

    def seal(self, field: str, plaintext: str) -> Sealed:
        """Encrypt one field under a fresh nonce."""
        nonce = self._random_bytes(NONCE_BYTES)
        box = nonce + self._aead.encrypt(nonce, plaintext.encode(), self._place(field))
        return Sealed(self._subject_id, field, base64.b64encode(box).decode())

    def open(self, sealed: Sealed) -> str:
        """Decrypt a field. Raises `cryptography.exceptions.InvalidTag` if it was altered or moved."""
        box = base64.b64decode(sealed.box)
        return self._aead.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], self._place(sealed.field)).decode()

    def _place(self, field: str) -> bytes:
        return f"{self._subject_id}|{field}".encode()


class _Unwrapped:
    """Recently unwrapped keys, by their wrapped form. The caller has just read that form from the table."""

    def __init__(self, kek: KeyEncryptionKey, clock: Callable[[], float]) -> None:
        self._kek = kek
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    def of(self, wrapped: bytes) -> bytes:
        """The key. Raises ValueError if another key wrapped it."""
        now = self._clock()
        while self._kept and next(iter(self._kept.values()))[0] <= now:  # ordered by expiry
            self._kept.popitem(last=False)
        if wrapped not in self._kept:
            key = self._kek.unwrap(wrapped)
            while len(self._kept) >= KEPT_KEYS:
                self._kept.popitem(last=False)
            self._kept[wrapped] = (now + KEPT_FOR_S, key)
        return self._kept[wrapped][1]


class SubjectKeys:
    """The subjects' wrapped keys in the service's own database.

    Every call reads the table, so that a destroyed key opens nothing after that commit. Only the unwrapping is saved if
    the same key is asked for again. `clock` returns seconds and never goes back.
    """

    def __init__(
        self, kek: KeyEncryptionKey, random_bytes: RandomBytes, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kek = kek
        self._unwrapped_before = _Unwrapped(kek, clock)
        self._random_bytes = random_bytes

    async def ensure(self, conn: Connection, subject_ids: Iterable[str]) -> dict[str, DataKey]:
        """The keys of these subjects; missing ones are made. Raises `KeyDestroyed` for an erased subject.

        Commit before recording events that were sealed with a new key.
        """
        wanted = sorted(set(subject_ids))
        if not wanted:
            return {}
        have = await self._rows(conn, wanted)
        made = await self._make(conn, [subject for subject in wanted if subject not in have])
        return {**made, **await self.get(conn, [subject for subject in wanted if subject not in made])}

    async def _make(self, conn: Connection, subject_ids: list[str]) -> dict[str, DataKey]:
        """New keys, in one statement. A subject whose key another process made first is left out."""
        if not subject_ids:
            return {}
        fresh = {subject_id: self._random_bytes(KEY_BYTES) for subject_id in subject_ids}
        wrapped = [self._kek.wrap(key) for key in fresh.values()]
        made = await _insert_new(conn, [self._kek.id, subject_ids, wrapped])
        return {subject_id: DataKey(subject_id, fresh[subject_id], self._random_bytes) for subject_id in made}

    async def get(self, conn: Connection, subject_ids: Iterable[str]) -> dict[str, DataKey]:
        """The keys of these subjects. Raises `NotFound` or `KeyDestroyed` for the first that has none."""
        wanted = sorted(set(subject_ids))
        rows = await self._rows(conn, wanted)
        return {subject_id: self._unwrapped(subject_id, rows) for subject_id in wanted}

    async def destroy(self, conn: Connection, subject_id: str) -> None:
        """Destroy a subject's key for ever. Repeating it does nothing. The caller commits."""
        await conn.execute(
            """INSERT INTO subject_key (subject_id, wrapped, kek_id, created_at, destroyed_at)
               VALUES (%s, NULL, %s, clock_timestamp(), clock_timestamp())
               ON CONFLICT (subject_id) DO UPDATE
               SET wrapped = NULL, destroyed_at = coalesce(subject_key.destroyed_at, EXCLUDED.destroyed_at)""",
            [subject_id, self._kek.id],
        )

    async def _rows(self, conn: Connection, subject_ids: list[str]) -> dict[str, bytes | None]:
        cursor = await conn.execute(
            "SELECT subject_id, wrapped FROM subject_key WHERE subject_id = ANY(%s)", [subject_ids]
        )
        return {row[0]: row[1] for row in await cursor.fetchall()}

    def _unwrapped(self, subject_id: str, rows: dict[str, bytes | None]) -> DataKey:
        if subject_id not in rows:
            raise NotFound("the subject has no key here", subject_id=subject_id)
        wrapped = rows[subject_id]
        if wrapped is None:
            raise KeyDestroyed(subject_id)
        return DataKey(subject_id, self._unwrapped_before.of(wrapped), self._random_bytes)


async def _insert_new(conn: Connection, values: list[Any]) -> list[str]:
    """The subjects that had no key before. Waits for another process that makes the same keys, at most `MAKE_TRIES`
    times as long as a statement on this connection waits for a lock; then raises LockNotAvailable."""
    tries = MAKE_TRIES if conn.info.transaction_status is TransactionStatus.IDLE else 1
    while True:
        tries -= 1
        try:
            return [row[0] for row in await (await conn.execute(_INSERT_NEW, values)).fetchall()]
        except LockNotAvailable:
            if not tries:
                raise
