"""identity's own key files."""

from __future__ import annotations

from collections.abc import Sequence

from identity.settings import IdentitySettings
from servicekit import keys
from servicekit.caller import CLOCK_LEEWAY_S, KEYS_FRESH_S
from servicekit.keyring import RELOAD_S, KeyRing
from servicekit.rotation import KeyKind

SIGNING = "signing.pem"
PUBLISHED_KEYS_KEPT_S = KEYS_FRESH_S + 30
"""How long a verifier may use fetched keys: 300 s in services and the gateway (`cache_duration`), plus time for one
failed fetch."""


def index_key(settings: IdentitySettings) -> bytes:
    """The key of blind indexes, refresh token hashes and one-time code hashes."""
    return keys.key_file(settings.key_dir, "index.key", keys.hmac_key)


def signing_ring(settings: IdentitySettings) -> KeyRing:
    """The P-256 keys of access tokens, PEM: the first signs, all are published."""
    return KeyRing(settings.key_dir, SIGNING, keys.ec_pem)


def key_kinds(settings: IdentitySettings) -> Sequence[KeyKind]:
    """The kinds of keys that can be replaced. Verifiers cache the published keys, so the next signing key must have
    reached all of them before it is used. `index.key` cannot be replaced: usernames are found by it."""
    return [
        KeyKind(
            "signing",
            SIGNING,
            keys.ec_pem,
            known_after_s=RELOAD_S + PUBLISHED_KEYS_KEPT_S,
            needed_s=settings.access_token_s + CLOCK_LEEWAY_S,
        )
    ]
