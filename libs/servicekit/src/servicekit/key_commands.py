"""`python -m <service> keys list|rotate-<kind>`: lists the service's replaceable keys, and replaces one."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from eventfold.sealing.keys import KeyEncryptionKeys
from eventfold.sealing.rewrapping import rewrap
from servicekit import database, keys
from servicekit.keyring import RELOAD_S, KeyRing, StoredKey
from servicekit.rotation import KeyKind, Rotation
from servicekit.settings import ServiceSettings

if TYPE_CHECKING:
    from servicekit.definition import ServiceDefinition

KEK, IDEMPOTENCY = "kek.pem", "idempotency.key"
ANSWERS_KEPT_S = 7 * 86400.0
"""As long as `eventfold.write.idempotency` keeps answers."""
WAIT_S = 1200.0
UNFINISHED = 75
"""Exit status (EX_TEMPFAIL) of a rotation that has to be run again."""
REWRAPPED_AT_ONCE = 200


def kek_ring(key_dir: Path) -> KeyRing:
    """The service's key-encryption keys."""
    return KeyRing(key_dir, KEK, keys.rsa_pem)


def idempotency_ring(key_dir: Path) -> KeyRing:
    """The keys for fingerprints under idempotency keys."""
    return KeyRing(key_dir, IDEMPOTENCY, keys.hmac_key)


def kinds_of(definition: ServiceDefinition, settings: ServiceSettings) -> dict[str, KeyKind]:
    """Every kind of key that the service can replace, by name."""
    kek = KeyKind("kek", KEK, keys.rsa_pem, settle=lambda: asyncio.run(_rewrap_all(settings)))
    answers = KeyKind("idempotency", IDEMPOTENCY, keys.hmac_key, needed_s=ANSWERS_KEPT_S)
    return {kind.name: kind for kind in (kek, answers, *definition.key_kinds(settings))}


def key_commands(definition: ServiceDefinition, settings: ServiceSettings, arguments: Sequence[str]) -> None:
    """List the keys, or replace one. Exits with `UNFINISHED` if it has to be run again."""
    kinds = kinds_of(definition, settings)
    parser = argparse.ArgumentParser(prog=f"{definition.name} keys", description="The keys that can be replaced.")
    parser.add_argument("what", choices=["list", *(f"rotate-{name}" for name in sorted(kinds))])
    parser.add_argument("--wait-s", type=float, default=WAIT_S, help="wait so long at most, then say for what")
    parser.add_argument("--at-once", action="store_true", help="of a key that leaked: what it made ends now")
    parsed = parser.parse_args(arguments)
    if parsed.what == "list":
        for kind in kinds.values():
            _list(kind, KeyRing(settings.key_dir, kind.file, kind.make))
        return
    kind = kinds[parsed.what.removeprefix("rotate-")]
    if parsed.at_once:
        kind = replace(kind, known_after_s=RELOAD_S, needed_s=0.0)
    ring = KeyRing(settings.key_dir, kind.file, kind.make)
    with _alone(settings.key_dir, parser):
        ring.reload()
        if not Rotation(kind, ring, _say, parsed.wait_s).run():
            parser.exit(UNFINISHED)


async def _rewrap_all(settings: ServiceSettings) -> int:
    """Wrap every subject's key under the current key-encryption key. Returns how many are left under others."""
    ring = kek_ring(settings.key_dir)
    async with await database.connect(settings.database_url) as conn:
        return await rewrap(conn, KeyEncryptionKeys(ring.keys, ring.reload), REWRAPPED_AT_ONCE, _say)


def _list(kind: KeyKind, ring: KeyRing) -> None:
    for key in ring.stored():
        since = f" since {datetime.fromtimestamp(key.since, UTC):%Y-%m-%dT%H:%M:%SZ}" if key.since else ""
        _say(f"{kind.name} {_fingerprint(key)} {key.state}{since}")


def _fingerprint(key: StoredKey) -> str:
    """Tells keys apart without revealing them."""
    return hashlib.sha256(b"lyceum key file" + key.content).hexdigest()[:12]


@contextmanager
def _alone(key_dir: Path, parser: argparse.ArgumentParser) -> Iterator[None]:
    """Allow one rotation at a time. A killed rotation releases the lock."""
    key_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (key_dir / ".rotating").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            parser.exit(1, "another rotation is under way here\n")
        yield


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
