"""identity's own key files."""

from __future__ import annotations

from identity.settings import IdentitySettings
from servicekit import keys


def index_key(settings: IdentitySettings) -> bytes:
    """The key of blind indexes, refresh token hashes and one-time code hashes."""
    return keys.key_file(settings.key_dir, "index.key", keys.hmac_key)


def signing_key(settings: IdentitySettings) -> bytes:
    """The P-256 key that signs access tokens, PEM."""
    return keys.key_file(settings.key_dir, "signing.pem", keys.ec_pem)
